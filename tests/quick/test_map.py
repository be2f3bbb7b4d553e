"""docs/map.md tells a stranger where things are: it has to be what the code says today."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAP = runpy.run_path(str(ROOT / ".ci" / "map.py"))
modules, doors, page = MAP["modules"], MAP["doors"], MAP["page"]


@pytest.fixture(scope="module")
def found():
    return modules()


def test_the_map_in_the_docs_is_the_one_that_the_code_draws(found):
    written = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")
    assert written == page(found), "docs/map.md is out of date: make map > docs/map.md"


def test_every_room_and_every_file_says_what_lives_there(found):
    assert [module.name for module in found if not module.about] == []


def test_every_folder_with_code_is_a_room_with_a_first_sentence(found):
    rooms = {module.room for module in found}
    assert rooms == {module.room for module in found if module.path.name == "__init__.py"}


def test_a_door_is_what_another_room_imports(found):
    open_ = doors(found)
    assert "shared.errors" in open_
    assert "shared.text.reading" in open_
    assert "scripts.cli" not in open_


def test_paths_that_pages_name_are_there(found):
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    missing = [
        f"{page_.relative_to(ROOT)}: {path}"
        for page_ in pages
        if page_.name != "CHANGELOG.md"
        for path in _named_paths(page_.read_text(encoding="utf-8"))
        if not (ROOT / path).exists()
    ]
    assert missing == []


def _named_paths(text: str) -> set[str]:
    words = (word.strip("`()[],;:.*\"'|") for word in text.replace("](", " ").split())
    words = (word.removeprefix("../").removeprefix("../").split("::")[0].split("#")[0] for word in words)
    return {
        word
        for word in words
        if word.startswith(("shared/", "workers/", "scripts/", "tests/")) and "…" not in word
    }
