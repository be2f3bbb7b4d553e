"""The same run as tables for the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scripts.labelling.report.summary import RunSummary
from scripts.pages import figures

BAR_CELLS = 12
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def tables(summary: RunSummary) -> RenderableType:
    """Categories, stage funnel and one line with the outcome. Names from files are never read as markup."""
    return Group(_categories(summary), _stages(summary), _outcome(summary))


def _table(title: str) -> Table:
    # Eight columns of a stage have to fit into 80 characters.
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )


def _categories(summary: RunSummary) -> Table:
    table = _table("Categories")
    table.add_column("category", overflow="fold", min_width=12)
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, width=BAR_CELLS)
    table.add_column("mean\nconfidence", justify="right", no_wrap=True)
    widest = max((row.count for row in summary.categories), default=0)
    for row in summary.ranked:
        table.add_row(
            Text(row.title),
            figures.count(row.count),
            figures.percent(summary.share(row)),
            Text(_bar(row.count / widest if widest else 0.0), style="cyan"),
            figures.confidence(row.mean_confidence),
            style="" if row.count else "dim",
        )
    return table


def _stages(summary: RunSummary) -> Table:
    table = _table("Stages")
    table.add_column("stage", no_wrap=True)
    for name in ("seen", "kept", "of\nseen", "passed\non", "abstained", "threshold", "mean\nconfidence"):
        table.add_column(name, justify="right", no_wrap=True)
    for stage in summary.stages:
        table.add_row(
            Text(stage.stage),
            figures.count(stage.seen),
            figures.count(stage.kept),
            figures.percent(stage.kept / stage.seen) if stage.seen else figures.NONE,
            figures.count(stage.passed_on),
            figures.count(stage.abstained),
            figures.confidence(stage.threshold),
            figures.confidence(stage.mean_confidence),
        )
    return table


def _outcome(summary: RunSummary) -> Text:
    statuses = summary.statuses
    parts = [
        (summary.labelled, "labelled", "green"),
        (statuses.waiting, "waiting", "yellow"),
        (statuses.needs_review, "needs review", "yellow"),
        (summary.rejected, "rejected", "red"),
        (summary.replaced, "with the id of a later row", "yellow"),
    ]
    line = Text(
        f"{figures.count(summary.rows_read)} rows in {figures.duration(summary.seconds)}", style="bold"
    )
    if summary.rows_per_second is not None:
        line.append(f" ({figures.rate(summary.rows_per_second)}/s)", style="not bold")
    for number, name, style in parts:
        if number:
            line.append(" · ", style="not bold dim").append(f"{figures.count(number)} {name}", style=style)
    return line


def _bar(part: float) -> str:
    eighths = round(part * BAR_CELLS * 8)
    if part > 0:
        eighths = max(1, eighths)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")
