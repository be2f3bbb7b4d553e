"""The terminal: where it is, how progress looks on it, how an error is told."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

# Names of files and columns are printed as they are, never read as markup.
out = Console(highlight=False, markup=False)
err = Console(stderr=True, highlight=False, markup=False)


class _Rate(ProgressColumn):
    """Reviews per second, from the number of reviews that the task carries in its fields."""

    def render(self, task: Task) -> Text:
        reviews = task.fields.get("reviews", task.completed)
        elapsed = task.elapsed or 0.0
        return Text(f"{reviews / elapsed:,.0f} reviews/s" if elapsed > 0.5 else "", style="cyan")


def file_progress() -> Progress:
    """Progress through a file: its total is 1.0, the number of reviews is the field `reviews`."""
    return _progress(
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[reviews]:,} reviews"),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )


def review_progress() -> Progress:
    """Progress through a known number of reviews."""
    note = TextColumn("{task.fields[note]}", markup=False)
    return _progress(BarColumn(bar_width=16), MofNCompleteColumn(), TimeElapsedColumn(), note)


def _progress(*columns: ProgressColumn) -> Progress:
    return Progress(SpinnerColumn(), TextColumn("{task.description}", markup=False), *columns, console=err)


def tell(error: Exception) -> None:
    """One error, for a person."""
    remark("error", str(error), "bold red")


def remark(word: str, text: str, style: str = "yellow") -> None:
    """A line on standard error that begins with a coloured word."""
    err.print(Text.assemble((word, style), ": ", text), soft_wrap=True)
