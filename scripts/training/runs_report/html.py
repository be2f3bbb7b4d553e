"""A leaderboard as one HTML file that needs nothing else."""

from __future__ import annotations

import msgspec

from scripts.pages.templates import rendered
from scripts.quality.evaluation_report.html import matrix_svg
from scripts.training.runs_report import charts
from scripts.training.runs_report.findings import Entry, Leaderboard
from scripts.training.runs_report.terminal import legend
from shared.quality.comparison import signed


def render(board: Leaderboard) -> str:
    """The whole page, ready to be written as UTF-8."""
    shared = charts.f1_range(board)
    return rendered(
        "training/runs_report/leaderboard.html",
        board=board,
        headline=headline(board),
        legend=legend(board),
        axis=charts.interval_axis(board),
        bar_width=charts.BAR_WIDTH,
        heat=charts.heat,
        matrices=[(entry, _matrix(entry, board)) for entry in board.entries],
        curves=[
            (entry, _curves(entry, board, shared)) for entry in board.entries if any(entry.curves.values())
        ],
        sources=sorted({name for entry in board.entries for name in entry.groups}),
        signed=signed,
    )


def headline(board: Leaderboard) -> str:
    """What the page says first: who is ahead, and which architectures are worth more than the baseline."""
    f1 = board.best.weighted
    sentences = [
        f"{board.best.name} is ahead: weighted F1 {f1.estimate:.3f} ({100 * board.certainty:g} %: {f1.low:.3f} to "
        f"{f1.high:.3f}) on {board.gold:,} gold reviews."
    ]
    if board.baseline is None:
        return f"{sentences[0]} The baseline was not trained, so nothing says whether that is worth its cost."
    words = {"better": "Better than", "worse": "Worse than", "unclear": "Not shown to be better than"}
    for word, sentence in words.items():
        names = [entry.name for entry in board.entries if entry.word == word]
        if names:
            sentences.append(f"{sentence} the baseline {board.baseline}: {', '.join(names)}.")
    return " ".join(sentences)


def _matrix(entry: Entry, board: Leaderboard) -> str:
    """The confusion matrix of all seeds together, without categories that nobody ever named."""
    matrix = entry.matrix
    used = [at for at, row in enumerate(matrix.counts) if any(row) or any(one[at] for one in matrix.counts)]
    kept = msgspec.structs.replace(
        matrix,
        names=tuple(matrix.names[at] for at in used),
        answers=(*(matrix.names[at] for at in used), None),
        counts=tuple(tuple(matrix.counts[row][at] for at in (*used, -1)) for row in used),
    )
    many = f", {entry.seeds} seeds summed: each review counts {entry.seeds} times" if entry.seeds > 1 else ""
    return matrix_svg(kept, [board.titles[name] for name in kept.names], f"{entry.name}{many}")


def _curves(entry: Entry, board: Leaderboard, f1: tuple[float, float]) -> str:
    seeds = {line.run: line.seed for line in board.runs}
    width, height = charts.PANEL
    return rendered(
        "training/runs_report/curves.svg",
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
