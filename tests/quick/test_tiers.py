"""The folder of a test is its tier, and the folders below it are the rooms of the house."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIERS = ("quick", "local", "models", "store", "services", "faults")


def test_no_test_says_itself_in_which_tier_it_is() -> None:
    said = re.compile(rf"pytest\.mark\.({'|'.join(TIERS)})\b")
    files = [path for path in (ROOT / "tests").rglob("*.py") if said.search(path.read_text(encoding="utf-8"))]
    assert files == [], "a second tier would take a test out of `make test`, or run it twice"


def test_tests_stand_in_the_folder_of_the_room_that_they_are_of() -> None:
    folders = {path.parent for tier in TIERS for path in (ROOT / "tests" / tier).rglob("test_*.py")}
    rooms = [folder.relative_to(ROOT / "tests").parts[1:] for folder in sorted(folders)]
    assert [room for room in rooms if not ROOT.joinpath(*room).is_dir()] == []
