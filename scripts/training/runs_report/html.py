"""A leaderboard as one HTML file that needs nothing else, and as plain data for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from markupsafe import Markup

from scripts.pages import figures
from scripts.pages.templates import environment
from scripts.quality.evaluation_report import matrix_svg
from scripts.training.runs_report import charts
from scripts.training.runs_report.findings import Entry, Leaderboard
from scripts.training.runs_report.terminal import legend
from shared.quality.bootstrap import Interval
from shared.quality.comparison import signed


def render(board: Leaderboard) -> str:
    """The whole page, ready to be written as UTF-8."""
    shared = charts.f1_range(board)
    return (
        environment("training/runs_report")
        .get_template("leaderboard.html")
        .render(
            board=board,
            headline=headline(board),
            legend=legend(board),
            axis=charts.interval_axis(board),
            bar=charts.bar,
            bar_width=charts.BAR_WIDTH,
            heat=charts.heat,
            matrices=[(entry, _own(_matrix(entry, board))) for entry in board.entries],
            curves=[
                (entry, _own(_curves(entry, board, shared)))
                for entry in board.entries
                if any(entry.curves.values())
            ],
            sources=sorted({name for entry in board.entries for name in entry.groups}),
            figures=figures,
            signed=signed,
        )
    )


def as_json(board: Leaderboard) -> dict[str, Any]:
    """Everything on the board as lists, dictionaries, numbers and strings."""
    plain: dict[str, Any] = msgspec.to_builtins(board, str_keys=True)
    return plain


def headline(board: Leaderboard) -> str:
    """What the page says first: who is ahead, and which architectures are worth more than the baseline."""
    best = board.best
    sentences = [f"{best.name} is ahead: {_figure(best.weighted, board)} on {board.gold:,} gold reviews."]
    if board.baseline is None:
        return f"{sentences[0]} The baseline was not trained, so nothing says whether that is worth its cost."
    words = {"better": "Better than", "worse": "Worse than", "unclear": "Not shown to be better than"}
    for word, sentence in words.items():
        names = [entry.name for entry in board.entries if entry.word == word]
        if names:
            sentences.append(f"{sentence} the baseline {board.baseline}: {', '.join(names)}.")
    return " ".join(sentences)


def _figure(found: Interval, board: Leaderboard) -> str:
    return (
        f"weighted F1 {found.estimate:.3f} ({100 * board.certainty:g} %: {found.low:.3f} to {found.high:.3f})"
    )


def _own(picture: str) -> Markup:
    return Markup(picture)  # noqa: S704  our own SVG, escaped


def _matrix(entry: Entry, board: Leaderboard) -> str:
    """The confusion matrix of all seeds together, without categories that nobody ever named."""
    matrix = entry.matrix
    used = [at for at in range(len(matrix.names)) if _occurs(matrix.counts, at)]
    kept = msgspec.structs.replace(
        matrix,
        names=tuple(matrix.names[at] for at in used),
        answers=(*(matrix.names[at] for at in used), None),
        counts=tuple(tuple(matrix.counts[row][at] for at in (*used, -1)) for row in used),
    )
    many = f", {entry.seeds} seeds summed: each review counts {entry.seeds} times" if entry.seeds > 1 else ""
    return matrix_svg(kept, [board.titles[name] for name in kept.names], f"{entry.name}{many}")


def _occurs(counts: Sequence[Sequence[int]], at: int) -> bool:
    return any(counts[at]) or any(row[at] for row in counts)


def _curves(entry: Entry, board: Leaderboard, f1: tuple[float, float]) -> str:
    seeds = {line.run: line.seed for line in board.runs}
    width, height = charts.PANEL
    return (
        environment("training/runs_report")
        .get_template("curves.svg")
        .render(
            title=f"Learning curves of {entry.name}",
            panels=charts.panels(entry, f1),
            runs=[
                (*charts.place(at), colour, f"run {run}, seed {seeds[run]}")
                for at, (run, colour) in enumerate(charts.colours(entry).items())
            ],
            plot=(charts.TOP, width, height),
            width=charts.LEFT + 2 * width + charts.GAP + 20,
            height=charts.place(len(entry.curves) - 1)[1] + 12,
        )
    )
