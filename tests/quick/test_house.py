"""The figures of the house only ever fall. What they count, and where they come from: .ci/house.py."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest

HOUSE = runpy.run_path(str(Path(__file__).resolve().parents[2] / ".ci" / "house.py"))
ROOT: Path = HOUSE["ROOT"]
LIMITS: dict[str, int] = HOUSE["limits"]()
SLACK = 0.02
"""A limit may lie so much above its figure, so that not every commit has to write it down."""


@pytest.fixture(scope="module")
def figures() -> dict[str, int]:
    found: dict[str, int] = HOUSE["counts"](HOUSE["figures"](HOUSE["trees"]()))
    return found


@pytest.mark.parametrize("name", LIMITS)
def test_a_figure_never_rises(figures: dict[str, int], name: str) -> None:
    assert figures[name] <= LIMITS[name], (
        f"{name}: expected at most {LIMITS[name]}, found {figures[name]}; `.venv/bin/python .ci/house.py {name}` "
        "shows where they are"
    )


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_follows_its_figure_down(figures: dict[str, int], name: str) -> None:
    assert LIMITS[name] <= figures[name] * (1 + SLACK) + 1, (
        f"{name}: found {figures[name]}, and a limit of {LIMITS[name]}; `.venv/bin/python .ci/house.py write` keeps "
        "what was won"
    )


def test_every_figure_has_a_limit(figures: dict[str, int]) -> None:
    assert set(figures) == set(LIMITS)


def counted(name: str, *sources: str) -> int:
    trees = {ROOT / f"shared/file_{number}.py": ast.parse(source) for number, source in enumerate(sources)}
    return len(list(HOUSE[name](trees)))


def test_an_import_inside_a_function_counts_once_however_deep_the_function_lies() -> None:
    assert counted("_inner_imports", "import a\ndef f():\n    def g():\n        import b\n") == 1


def test_a_type_name_counts_only_when_several_files_define_it() -> None:
    assert counted("_shared_names", "class Row: ...", "Row = dict[str, int]", "class Other: ...") == 1


def test_a_private_function_counts_when_its_file_names_it_once() -> None:
    source = "def _a(): ...\ndef _b(): ...\ndef c():\n    _a()\n    _b()\n    return _b"
    assert counted("_called_once", source) == 1


def test_a_function_of_forty_lines_is_not_too_long() -> None:
    body = "\n    ...".join([""] * 40)
    assert counted("_long_functions", f"def f():{body}") == 0
    assert counted("_long_functions", f"def f():{body}\n    ...") == 1
