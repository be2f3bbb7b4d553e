"""`make near`: which tests a change is near to."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

NEAR = runpy.run_path(str(Path(__file__).parents[2] / ".ci" / "near.py"))["near"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in (
        "quick/test_compose.py",
        "quick/test_start.py",
        "quick/shared/stages/test_keywords.py",
        "models/shared/stages/test_zero_shot.py",
        "services/workers/test_queue_path.py",
        "faults/test_broker.py",
    ):
        file = tmp_path / "tests" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path


LOOSE = ["tests/quick/test_compose.py", "tests/quick/test_start.py"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (["shared/stages/similarity.py"], ["tests/models/shared/stages", "tests/quick/shared/stages"]),
        (["shared/stages/llm/prompt.py"], ["tests/models/shared/stages", "tests/quick/shared/stages"]),
        (["shared/errors.py"], ["tests/quick"]),
        (["shared/unheard_of/room.py"], ["tests/quick"]),
        (["tests/support/servers.py", "shared/stages/similarity.py"], ["tests/models/shared/stages", "tests/quick"]),
        (["tests/quick/shared/stages/test_keywords.py"], ["tests/quick/shared/stages/test_keywords.py"]),
        (["tests/quick/shared/stages/conftest.py"], ["tests/quick/shared/stages"]),
        (["tests/services/workers/test_queue_path.py"], ["tests/services/workers/test_queue_path.py"]),
        (["tests/quick/shared/stages/test_gone.py", "tests/faults/test_broker.py"], []),
        (["docs/settings.md"], LOOSE),
        ([], []),
    ],
)  # fmt: skip
def test_a_change_is_near_to_the_tests_of_its_room(
    project: Path, changed: list[str], expected: list[str]
) -> None:
    assert NEAR(changed, project) == expected
