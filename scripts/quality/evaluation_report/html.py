"""An evaluation as one HTML file that needs nothing else, and its confusion matrix as SVG."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from scripts.pages.templates import rendered
from scripts.quality.evaluation_report.findings import Evaluation
from shared.quality.evaluation import Confusion

CELL = 56
LEFT = 240
TOP = 190

NO_ANSWER = "no answer"


class Cell(msgspec.Struct, frozen=True):
    """One square of the matrix: where it is, what it counts, and its share of its row, 0..1."""

    x: int
    y: int
    count: int
    share: float
    diagonal: bool


def render(result: Evaluation) -> str:
    """The whole page, ready to be written as UTF-8."""
    return rendered("quality/evaluation_report/evaluation.html", result=result, picture=svg(result))


def svg(result: Evaluation) -> str:
    """The confusion matrix as a picture: a row per category of gold, a column per answer."""
    titles = [result.taxonomy.category(name).title for name in result.matrix.names]
    return matrix_svg(result.matrix, titles, f"Confusion matrix of {result.title}")


def matrix_svg(matrix: Confusion, titles: Sequence[str], title: str) -> str:
    """Any confusion matrix as a picture; `titles` are those of its categories, in its order."""
    # The column of those without an answer only where there are any.
    columns = list(range(len(titles) + any(row[-1] for row in matrix.counts)))
    heads = [*titles, NO_ANSWER]
    sums = [sum(row) for row in matrix.counts]
    return rendered(
        "quality/evaluation_report/confusion.svg",
        rows=[(TOP + CELL * at + CELL // 2, f"{name} ({sums[at]:,})") for at, name in enumerate(titles)],
        columns=[(LEFT + CELL * at + CELL // 2, heads[at]) for at in columns],
        cells=[
            Cell(LEFT + CELL * at, TOP + CELL * row, counts[at], counts[at] / max(1, sums[row]), at == row)
            for row, counts in enumerate(matrix.counts)
            for at in columns
        ],
        cell=CELL,
        left=LEFT,
        top=TOP,
        width=LEFT + CELL * len(columns) + 60,
        height=TOP + CELL * len(titles) + 20,
        title=title,
    )
