"""The cells of a confusion matrix as pages and pictures show them. How a cell looks is in `matrix.html`."""

from __future__ import annotations

import msgspec

from shared.quality.confusion import Confusion


class Cell(msgspec.Struct, frozen=True):
    """One cell of a row: what it counts, its share of the row, 0..1, and whether gold and answer agree.

    `anchor` is where a page has the reviews of the cell.
    """

    column: int
    count: int
    share: float
    right: bool
    anchor: str


def matrix_cells(matrix: Confusion) -> list[list[Cell]]:
    """The cells by row of gold; the column of those without an answer only where there are any."""
    columns = len(matrix.names) + any(row[-1] for row in matrix.counts)
    return [
        [
            Cell(
                column,
                counts[column],
                counts[column] / max(1, sum(counts)),
                right=row == column,
                anchor=f"cell-{row}-{column}",
            )
            for column in range(columns)
        ]
        for row, counts in enumerate(matrix.counts)
    ]
