"""The same run as tables for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from scripts.labelling.report.summary import RunSummary
from scripts.language.language import counted, translated
from scripts.pages import figures
from scripts.pages.tables import LINED, figure, name, table

BAR_CELLS = 12
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def tables(summary: RunSummary) -> RenderableType:
    """Categories, stage funnel and one line with the outcome. Names from files are never read as markup."""
    earlier = [Text(f"{summary.earlier}\n")] if summary.earlier else []
    return Group(_categories(summary), _stages(summary), *earlier, _outcome(summary))


def _categories(summary: RunSummary) -> Table:
    widest = max((row.count for row in summary.categories), default=0) or 1
    rows = [
        (
            Text(row.title),
            figures.count(row.count),
            figures.percent(summary.share(row)),
            Text(_bar(row.count / widest), style="cyan"),
            figures.confidence(row.mean_confidence),
        )
        for row in summary.ranked
    ]
    bars = Column(no_wrap=True, width=BAR_CELLS)
    heads = (
        name(translated("category")),
        figure(translated("count")),
        figure(translated("share")),
        bars,
        figure(translated("mean\nconfidence")),
    )
    made = table(heads, rows, title=translated("Categories"), **LINED)
    for line, row in zip(made.rows, summary.ranked, strict=True):
        line.style = "" if row.count else "dim"
    return made


def _stages(summary: RunSummary) -> Table:
    rows = [
        (
            Text(stage.stage),
            figures.count(stage.seen),
            figures.count(stage.kept) if stage.seen else figures.NONE,
            figures.percent(stage.kept / stage.seen) if stage.seen else figures.NONE,
            figures.count(stage.passed_on) if stage.seen else figures.NONE,
            figures.count(stage.abstained) if stage.seen else figures.NONE,
            figures.confidence(stage.threshold),
            figures.confidence(stage.mean_confidence) if stage.kept else figures.NONE,
        )
        for stage in summary.stages
    ]
    # Eight columns have to fit into 80 characters, for millions of reviews too.
    heads = (
        translated("seen"),
        translated("kept"),
        translated("of\nseen"),
        translated("passed\non"),
        translated("ab-\nstained"),
        translated("kept\nfrom\nconfi-\ndence"),
        translated("mean\nconfi-\ndence"),
    )
    stage_head = Column(translated("stage"), no_wrap=True)
    return table((stage_head, *map(figure, heads)), rows, title=translated("Stages"), **LINED)


def _outcome(summary: RunSummary) -> Text:
    statuses = summary.statuses
    parts = [
        (summary.labelled, translated("{number} labelled"), "green"),
        (statuses.human, translated("{number} of them by people"), "green"),
        (statuses.waiting, translated("{number} waiting"), "yellow"),
        (statuses.needs_review, translated("{number} needs review"), "yellow"),
        (summary.rejected, translated("{number} rejected"), "red"),
        (summary.replaced, translated("{number} with the id of a later row"), "yellow"),
    ]
    took = figures.duration(summary.seconds)
    line = Text(
        counted("{number} row in {time}", "{number} rows in {time}", summary.rows_read, time=took),
        style="bold",
    )
    if summary.rows_per_second is not None:
        line.append(" ")
        line.append(translated("({rate}/s)", rate=figures.rate(summary.rows_per_second)), style="not bold")
    for number, told, style in parts:
        if number:
            line.append(" · ", style="not bold dim").append(
                told.format(number=figures.count(number)), style=style
            )
    if summary.certified:
        line.append(f"\n{summary.certified}", style="not bold")
    return line


def _bar(part: float) -> str:
    eighths = round(part * BAR_CELLS * 8)
    if part > 0:
        eighths = max(1, eighths)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")
