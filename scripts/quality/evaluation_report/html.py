"""An evaluation as one HTML file that needs nothing else, and its confusion matrix as SVG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from scripts.language.language import grouped, translated
from scripts.pages import colours
from scripts.pages.matrix import Cell, matrix_cells
from scripts.pages.templates import rendered
from scripts.quality.evaluation_report import curve
from scripts.quality.evaluation_report.findings import EvaluatedReview, Evaluation, group_title
from shared.quality.confusion import Confusion
from shared.quality.evaluation import CategoryScore

CELL = 56
LEFT = 240
TOP = 190
ENOUGH = 10
"""Gold reviews from which a category is named as the weakest: of fewer, F1 says little."""
MOST_REVIEWS = 500
"""Reviews of one cell that are in the page."""


class FilledCell(msgspec.Struct, frozen=True):
    """A cell that is not empty: the title in gold, that of the answer, and the reviews in it."""

    cell: Cell
    gold: str
    answer: str | None
    reviews: tuple[EvaluatedReview, ...]


class CategoryPicture(msgspec.Struct, frozen=True):
    """What became of a category's gold reviews, and whose reviews got it as their label.

    `taken_for` is the title of what it is most often taken for, and how often.
    """

    title: str
    kept: CategoryScore
    final: CategoryScore
    unanswered: int
    taken_for: tuple[str, int] | None


def render(result: Evaluation) -> str:
    """The whole page, ready to be written as UTF-8."""
    titles, matrix = _titles(result), result.labelled.matrix
    pairs = _pairs(result, titles)
    return rendered(
        "quality/evaluation_report/evaluation.html",
        result=result,
        group_title=group_title,
        titles=titles,
        rows=matrix_cells(matrix),
        heads=heads(matrix, titles),
        pairs=pairs,
        wrong=next((pair for pair in pairs if pair.gold != pair.answer and pair.answer is not None), None),
        weakest=result.labelled.weakest(ENOUGH),
        pictures=_pictures(result, titles),
        most_reviews=MOST_REVIEWS,
        spared="" if result.spared is None else curve.svg(result, colours.IN_A_PAGE, curve.TOP - 15),
    )


def heads(matrix: Confusion, titles: Sequence[str]) -> list[str | None]:
    """The heads of the columns; None for those without an answer, where there are any."""
    return [*titles, None] if any(row[-1] for row in matrix.counts) else [*titles]


def _titles(result: Evaluation) -> list[str]:
    return [result.taxonomy.category(name).title for name in result.labelled.matrix.names]


def _pairs(result: Evaluation, titles: Sequence[str]) -> list[FilledCell]:
    """Every cell with its reviews, wrong ones first, and of these the fullest."""
    inside = defaultdict[tuple[str, str | None], list[EvaluatedReview]](list)
    for review in result.reviews:
        inside[review.gold, review.answer].append(review)
    matrix = result.labelled.matrix
    heads = [*titles, None]
    found = [
        FilledCell(
            cell, title, heads[cell.column], tuple(inside[name, matrix.answers[cell.column]][:MOST_REVIEWS])
        )
        for name, title, row in zip(matrix.names, titles, matrix_cells(matrix), strict=True)
        for cell in row
        if cell.count
    ]
    return sorted(found, key=lambda pair: (pair.cell.right, -pair.cell.count))


def _pictures(result: Evaluation, titles: Sequence[str]) -> list[CategoryPicture]:
    kept = {row.category: row for row in result.kept.categories}
    matrix = result.labelled.matrix
    title_of = dict(zip(matrix.names, titles, strict=True))
    found = []
    for row in result.labelled.categories:
        counts = matrix.counts[matrix.names.index(row.category)]
        others = [
            (many, name) for many, name in zip(counts, matrix.names, strict=False) if name != row.category
        ]
        many, name = max(others, default=(0, ""))
        taken_for = (title_of[name], many) if many else None
        mine = kept.get(row.category, CategoryScore(row.category, row.gold, 0, 0))
        found.append(CategoryPicture(title_of[row.category], mine, row, counts[-1], taken_for))
    return found


def svg(result: Evaluation) -> str:
    """The confusion matrix as a picture: a row per category of gold, a column per answer."""
    matrix, titles = result.labelled.matrix, _titles(result)
    names = [translated("no answer") if head is None else head for head in heads(matrix, titles)]
    sums = [sum(row) for row in matrix.counts]
    return rendered(
        "quality/evaluation_report/confusion.svg",
        paint=colours.LIGHT,
        rows=[
            (TOP + CELL * at + CELL // 2, f"{name} ({grouped(sums[at])})") for at, name in enumerate(titles)
        ],
        columns=[(LEFT + CELL * at + CELL // 2, name) for at, name in enumerate(names)],
        cells=[
            (LEFT + CELL * cell.column, TOP + CELL * at, cell)
            for at, row in enumerate(matrix_cells(matrix))
            for cell in row
        ],
        cell=CELL,
        left=LEFT,
        top=TOP,
        width=LEFT + CELL * len(names) + 60,
        height=TOP + CELL * len(titles) + 20,
        title=translated("Confusion matrix of {name}", name=result.title),
    )
