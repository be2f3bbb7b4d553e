"""A leaderboard as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from scripts.language.language import counted, translated, written
from scripts.pages import figures
from scripts.pages.tables import LINED, figure, name, table
from scripts.training.runs_report.findings import Entry, Leaderboard
from shared.quality import comparison
from shared.quality.bootstrap import Interval
from shared.quality.comparison import Word

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
        remarks = [*entry.notes, *([f"{word_title('unclear')}: {entry.doubt}"] if entry.doubt else [])]
        parts += [Text(f"{entry.name}: {remark}") for remark in remarks]
    return Group(*parts)


def legend(board: Leaderboard) -> str:
    """How to read the intervals."""
    certainty = 100 * board.certainty
    sentence = counted(
        "Intervals: {certainty} %, bootstrap over {number} gold review; ±: standard deviation over seeds.",
        "Intervals: {certainty} %, bootstrap over {number} gold reviews; ±: standard deviation over seeds.",
        board.gold,
        certainty=certainty,
    )
    if board.baseline is None:
        return f"{sentence} {translated('No run of the baseline is among these: nothing is compared.')}"
    against = translated(
        "Against {baseline}: difference of weighted F1 on the same gold reviews, {certainty} %{shared}; better only if "
        "all of the interval is above zero.",
        baseline=board.baseline,
        certainty=certainty,
        shared=""
        if board.comparisons == 1
        else translated(", for all {number} comparisons together (Bonferroni)", number=board.comparisons),
    )
    return f"{sentence} {against}"


def word_title(word: Word) -> str:
    """What people are told of a comparison."""
    return {"better": translated("better"), "worse": translated("worse"), "unclear": translated("unclear")}[
        word
    ]


def signed(value: float) -> str:
    """A difference with its sign."""
    return written(comparison.signed(value))


def _leaderboard(board: Leaderboard) -> Table:
    against = translated("against\n{baseline}", baseline=board.baseline or translated("baseline"))
    rows = []
    for entry in board.entries:
        seeds = counted("{number} seed", "{number} seeds", entry.seeds)
        rows.append(
            (
                Text(entry.name).append("" if entry.champion else f"\n{seeds}", style="dim"),
                _figure(entry.weighted, entry.spread),
                _figure(entry.macro, entry.macro_spread),
                figures.NONE if entry.not_ambiguous is None else figures.share(entry.not_ambiguous),
                _against(entry, board),
            )
        )
    heads = (
        translated("weighted F1\non gold"),
        translated("macro F1\non gold"),
        translated("not\nambiguous"),
        against,
    )
    title = counted("Leaderboard: {number} gold review", "Leaderboard: {number} gold reviews", board.gold)
    return table((name(translated("architecture")), *map(figure, heads)), rows, title=title, **LINED)


def _costs(board: Leaderboard) -> Table:
    """Apart from the leaderboard, which would not fit into a narrow terminal with it."""
    rows = [
        (
            Text(entry.name),
            figures.NONE if entry.seconds is None else figures.duration(entry.seconds),
            figures.NONE if entry.reviews_per_s is None else figures.rate(entry.reviews_per_s),
            figures.NONE if entry.megabytes is None else figures.tenths(entry.megabytes),
        )
        for entry in board.entries
        if not entry.champion
    ]
    heads = map(figure, (translated("training"), translated("reviews/s, one core"), translated("MB")))
    return table((name(translated("architecture")), *heads), rows, title=translated("Cost of a run"), **LINED)


def _figure(found: Interval, spread: float | None) -> Text:
    around = "" if spread is None else f" ±{figures.share(spread)}"
    low, high = figures.share(found.low), figures.share(found.high)
    return Text(f"{figures.share(found.estimate)}{around}").append(f"\n{low}–{high}", style="dim")


def _against(entry: Entry, board: Leaderboard) -> Text:
    if entry.difference is None or entry.word is None:
        return Text(translated("baseline") if entry.name == board.baseline else figures.NONE, style="dim")
    found = entry.difference
    return Text(f"{signed(found.estimate)} ").append(word_title(entry.word), style=STYLES[entry.word]).append(
        f"\n{signed(found.low)}…{signed(found.high)}", style="dim"
    )  # fmt: skip


def _categories(board: Leaderboard) -> Table:
    rows: list[Sequence[RenderableType]] = []
    for slug, number in board.counts.items():
        if number:
            found = [entry.categories[slug] for entry in board.entries]
            best = max(found)
            scores = (Text(figures.share(value), style="bold" if value == best else "") for value in found)
            rows.append((Text(board.titles[slug]), figures.count(number), *scores))
    names = (
        Column(Text(entry.name), justify="right", overflow="fold", min_width=5) for entry in board.entries
    )
    heads = (name(translated("category")), figure(translated("gold")))
    return table((*heads, *names), rows, title=translated("F1 on gold by category"), **LINED)
