"""A leaderboard as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from scripts.pages import figures
from scripts.pages.tables import LINED, figure, name, table
from scripts.training.runs_report.findings import Entry, Leaderboard
from shared.quality.bootstrap import Interval
from shared.quality.comparison import signed

STYLES = {"better": "green", "worse": "red", "unclear": "yellow"}


def tables(board: Leaderboard) -> RenderableType:
    """The leaderboard, F1 by category and architecture, and what has to be said of some."""
    parts: list[RenderableType] = [
        _leaderboard(board),
        Text(legend(board), style="dim"),
        _costs(board),
        _categories(board),
    ]
    for entry in board.entries:
        remarks = [*entry.notes, *([f"unclear: {entry.doubt}"] if entry.doubt else [])]
        parts += [Text(f"{entry.name}: {remark}") for remark in remarks]
    return Group(*parts)


def legend(board: Leaderboard) -> str:
    """How to read the intervals."""
    sentence = (
        f"Intervals: {100 * board.certainty:g} %, bootstrap over {board.gold:,} gold reviews; ±: standard deviation "
        "over seeds."
    )
    if board.baseline is None:
        return f"{sentence} No run of the baseline is among these: nothing is compared."
    shared = (
        f", for all {board.comparisons} comparisons together (Bonferroni)" if board.comparisons > 1 else ""
    )
    return (
        f"{sentence} Against {board.baseline}: difference of weighted F1 on the same reviews, "
        f"{100 * board.certainty:g} %{shared}; better only if all of the interval is above zero."
    )


def _leaderboard(board: Leaderboard) -> Table:
    against = f"against\n{board.baseline}" if board.baseline else "against\nbaseline"
    rows = []
    for entry in board.entries:
        seeds = "1 seed" if entry.seeds == 1 else f"{entry.seeds} seeds"
        rows.append(
            (
                Text(entry.name).append("" if entry.champion else f"\n{seeds}", style="dim"),
                _figure(entry.weighted, entry.spread),
                _figure(entry.macro, entry.macro_spread),
                figures.NONE if entry.not_ambiguous is None else f"{entry.not_ambiguous:.3f}",
                _against(entry, board),
            )
        )
    heads = map(figure, ("weighted F1", "macro F1", "not\nambiguous", against))
    return table(
        (name("architecture"), *heads), rows, title=f"Leaderboard: {board.gold:,} gold reviews", **LINED
    )


def _costs(board: Leaderboard) -> Table:
    """Apart from the leaderboard, which would not fit into a narrow terminal with it."""
    rows = [
        (
            Text(entry.name),
            figures.NONE if entry.seconds is None else figures.duration(entry.seconds),
            figures.NONE if entry.reviews_per_s is None else figures.rate(entry.reviews_per_s),
            figures.NONE if entry.megabytes is None else f"{entry.megabytes:,.1f}",
        )
        for entry in board.entries
        if not entry.champion
    ]
    heads = map(figure, ("training", "reviews/s, one core", "MB"))
    return table((name("architecture"), *heads), rows, title="Cost of a run", **LINED)


def _figure(found: Interval, spread: float | None) -> Text:
    around = "" if spread is None else f" ±{spread:.3f}"
    return Text(f"{found.estimate:.3f}{around}").append(f"\n{found.low:.3f}–{found.high:.3f}", style="dim")


def _against(entry: Entry, board: Leaderboard) -> Text:
    if entry.difference is None or entry.word is None:
        return Text("baseline" if entry.name == board.baseline else figures.NONE, style="dim")
    found = entry.difference
    return Text(f"{signed(found.estimate)} ").append(entry.word, style=STYLES[entry.word]).append(
        f"\n{signed(found.low)}…{signed(found.high)}", style="dim"
    )  # fmt: skip


def _categories(board: Leaderboard) -> Table:
    rows: list[Sequence[RenderableType]] = []
    for slug, number in board.counts.items():
        if number:
            found = [entry.categories[slug] for entry in board.entries]
            best = max(found)
            scores = (Text(f"{value:.3f}", style="bold" if value == best else "") for value in found)
            rows.append((Text(board.titles[slug]), figures.count(number), *scores))
    names = (
        Column(Text(entry.name), justify="right", overflow="fold", min_width=5) for entry in board.entries
    )
    return table((name("category"), figure("gold"), *names), rows, title="F1 by category", **LINED)
