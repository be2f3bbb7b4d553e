"""A leaderboard as one HTML file that needs nothing else."""

from __future__ import annotations

import msgspec

from scripts.pages import colours
from scripts.pages.matrix import Cell, matrix_cells
from scripts.pages.templates import rendered
from scripts.quality.evaluation_report.html import heads
from scripts.training.runs_report import charts
from scripts.training.runs_report.findings import Entry, Leaderboard
from scripts.training.runs_report.terminal import legend, signed, word_title
from shared.quality.confusion import Confusion


def render(board: Leaderboard) -> str:
    """The whole page, ready to be written as UTF-8."""
    shared = charts.f1_range(board)
    return rendered(
        "training/runs_report/leaderboard.html",
        board=board,
        words=board.words,
        legend=legend(board),
        axis=charts.interval_axis(board),
        bar_width=charts.BAR_WIDTH,
        heat=charts.heat,
        matrices=[(entry, _matrix(entry, board)) for entry in board.entries],
        curves=[_curves(entry, board, shared) for entry in board.entries if any(entry.curves.values())],
        sources=sorted({name for entry in board.entries for name in entry.groups}),
        signed=signed,
        word_title=word_title,
    )


class Matrix(msgspec.Struct, frozen=True):
    """A confusion matrix as the template takes it."""

    rows: list[list[Cell]]
    titles: list[str]
    heads: list[str | None]


class CurvePictures(msgspec.Struct, frozen=True):
    """The panels of one entry, each with its picture, and the colour, number and seed of each run."""

    name: str
    panels: list[tuple[charts.EpochPanel, str]]
    runs: list[tuple[str, int, int]]


def _matrix(entry: Entry, board: Leaderboard) -> Matrix:
    """The confusion matrix of all seeds together, without categories that nobody ever named."""
    matrix = entry.matrix
    used = [at for at, row in enumerate(matrix.counts) if any(row) or any(one[at] for one in matrix.counts)]
    kept = Confusion(
        names=tuple(matrix.names[at] for at in used),
        answers=(*(matrix.names[at] for at in used), None),
        counts=tuple(tuple(matrix.counts[row][at] for at in (*used, -1)) for row in used),
    )
    titles = [board.titles[name] for name in kept.names]
    return Matrix(matrix_cells(kept), titles, heads(kept, titles))


def _curves(entry: Entry, board: Leaderboard, f1: tuple[float, float]) -> CurvePictures:
    seeds = {line.run: line.seed for line in board.runs}
    width, height = charts.PANEL
    panels = charts.panels(entry, f1)
    pictures = [
        rendered(
            "training/runs_report/curves.svg",
            paint=colours.IN_A_PAGE,
            name=entry.name,
            panel=panel,
            plot=(charts.LEFT, charts.TOP, width, height),
            width=charts.LEFT + width + charts.RIGHT,
            height=charts.TOP + height + charts.BOTTOM,
        )
        for panel in panels
    ]
    runs = [(colour, run, seeds[run]) for run, colour in charts.colours(entry).items()]
    return CurvePictures(entry.name, [*zip(panels, pictures, strict=True)], runs)
