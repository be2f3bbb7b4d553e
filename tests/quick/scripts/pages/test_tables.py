"""Tables for the terminal, and the scales of pictures, as all commands make them."""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.table import Column

from scripts.pages.axis import Axis
from scripts.pages.tables import LINED, figure, name, table


def lines(made: object, width: int = 60) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(made)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_what_is_read_stands_at_the_left_and_figures_at_the_right():
    made = table(
        ("stage", "category", "kept"), [("llm", "shoes", "7"), ("keywords", "toys", "1,234")], left=2
    )
    assert lines(made) == [
        "stage     category   kept",
        "llm       shoes         7",
        "keywords  toys      1,234",
    ]


def test_a_column_that_is_given_whole_stays_as_it_is():
    made = table(("run", Column("status"), "seed"), [("1", "x", "10"), ("2", "running", "3")])
    assert lines(made) == ["run  status   seed", "1    x          10", "2    running     3"]


def test_a_table_with_a_line_folds_names_and_no_figures():
    made = table((name("category"), figure("F1")), [("украшения и аксессуары", "0.912")], title="F1", **LINED)
    shown = [line.split() for line in lines(made, 20) if line]
    assert shown[0] == ["F1"]
    assert set(shown[2][0]) == {"─"}
    assert shown[3:] == [["украшения", "и", "0.912"], ["аксессуары"]]


def test_ticks_are_round_and_have_the_digits_that_were_asked_for():
    axis = Axis(0.62, 1.0, 290, 60)
    assert [word for _, word in axis.ticks()] == ["0.7", "0.8", "0.9", "1.0"]
    assert [word for _, word in axis.ticks(digits=2)] == ["0.70", "0.80", "0.90", "1.00"]
    assert axis.at(1.0) == 60
    assert axis.at(0.0) == 290, "what lies outside is drawn at the end"
