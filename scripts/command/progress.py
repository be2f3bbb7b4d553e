"""How far a command is: on a terminal of any width one line that is redrawn, elsewhere a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

from scripts.command.console import err
from scripts.language.language import counted, grouped, in_percent, translated
from shared.runs.pace import clock_time

FIRST_LINE_S: Final = 10.0
"""Seconds after which a line is written where none can be redrawn; then a tenth of what has gone, at most the next."""
LONGEST_SILENCE_S: Final = 300.0
SURE_AFTER_S: Final = 0.5
"""Seconds before which a rate says nothing."""
LEAST_NAME: Final = 12
"""Characters of a name that stay, however little room there is."""
MOST_COLUMNS: Final = 10_000
"""Wider than any terminal: what a line would need is measured in it."""
Said = Callable[[Task], str]
"""One figure of a task in words; empty where there is none yet."""


def file_progress() -> NarrowProgress:
    """Progress through a file: its total is 1.0, the number of reviews is the field `reviews`."""
    return NarrowProgress((percent, reviews, rate, gone, left), first_to_go=(gone, rate, left))


def review_progress() -> NarrowProgress:
    """Progress through a known number of reviews."""
    return NarrowProgress((done, gone, left), first_to_go=(gone, left))


@contextmanager
def phase(what: str) -> Iterator[None]:
    """Work of which nobody knows how far it is: a spinner on a terminal, elsewhere a line when it begins."""
    if not err.is_terminal:
        err.print(what, soft_wrap=True)
        yield
        return
    with err.status(what):
        yield


class NarrowProgress(Progress):
    """Figures are never cut: where they do not all fit in a line the bar goes, then those that are `first_to_go`.

    A task may carry a field `note`, which stands in lines of its own. Where nothing can be redrawn, as in a pipe or a
    file, the same figures are written as lines: after ten seconds, then more and more seldom.
    """

    def __init__(
        self,
        said: Sequence[Said],
        *,
        first_to_go: Sequence[Said] = (),
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._said = said
        self._lines = Lines(clock)
        self._screen = console or err
        fewer = [{*first_to_go[:most]} for most in range(len(first_to_go) + 1)]
        texts = [[Figure(one) for one in said if one not in left_out] for left_out in fewer]
        bar = (SpinnerColumn(), Description(), BarColumn(bar_width=10), *texts[0])
        self._shapes: list[tuple[ProgressColumn, ...]] = [bar, *((Description(), *some) for some in texts)]
        super().__init__(*bar, console=self._screen, get_time=clock)

    def start(self) -> None:
        """Draw, where that can be."""
        if self._screen.is_terminal:
            super().start()

    def stop(self) -> None:
        """Leave the last state behind, as it was drawn or as a line."""
        if self._screen.is_terminal:
            super().stop()
            return
        for task in self.tasks:
            self._write(task)

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """As in rich."""
        super().update(task_id, **changes)
        task = self._tasks[task_id]
        if not self._screen.is_terminal and self._lines.due(task):
            self._write(task)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """As in rich."""
        self.update(task_id, advance=advance)

    def get_renderables(self) -> Iterable[RenderableType]:
        """The widest line that fits, and notes below it."""
        any_width = self._screen.options.update_width(MOST_COLUMNS)
        for columns in self._shapes:
            self.columns = columns
            drawn = self.make_tasks_table(self.tasks)
            if Measurement.get(self._screen, any_width, drawn).minimum <= self._screen.width:
                break
        yield drawn
        yield from (Text(f"  {note}") for task in self.tasks if (note := task.fields.get("note")))

    def _write(self, task: Task) -> None:
        figures = ", ".join(filter(None, (one(task) for one in self._said)))
        note = task.fields.get("note")
        self._screen.print(
            f"{task.description}: {figures}{f'; {note}' if note else ''}", soft_wrap=True, markup=False
        )


class Lines:
    """When it is time for the next line."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._last = clock()

    def due(self, task: Task | None = None) -> bool:
        """Whether one is due now, which counts as written. The end of a task is told when it stops, not here."""
        if task is not None and task.finished:
            return False
        now = self._clock()
        if now - self._last < min(LONGEST_SILENCE_S, max(FIRST_LINE_S, (now - self._began) / 10)):
            return False
        self._last = now
        return True


class Figure(ProgressColumn):
    """A figure, which is never broken or cut."""

    def __init__(self, said: Said) -> None:
        super().__init__(Column(no_wrap=True, justify="right"))
        self._said = said

    def render(self, task: Task) -> RenderableType:
        return OneLine(self._said(task))


class Description(ProgressColumn):
    """What is done: it gives way to figures."""

    def render(self, task: Task) -> RenderableType:
        return OneLine(task.description, least=LEAST_NAME)


class OneLine:
    """A text that is never broken over lines. It takes `least` columns or its own length, whichever is less."""

    def __init__(self, text: str, least: int = MOST_COLUMNS) -> None:
        self._text = Text(text, no_wrap=True, overflow="ellipsis")
        self._least = min(least, self._text.cell_len)

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        yield self._text

    def __rich_measure__(self, _console: Console, _options: ConsoleOptions) -> Measurement:
        return Measurement(self._least, self._text.cell_len)


def percent(task: Task) -> str:
    """How much of all is done."""
    return in_percent(f"{task.percentage:.0f}")


def done(task: Task) -> str:
    """How many of how many."""
    if task.total is None:
        return grouped(int(task.completed))
    return translated("{done} of {total}", done=grouped(int(task.completed)), total=grouped(int(task.total)))


def reviews(task: Task) -> str:
    """How many reviews the task carries in its fields."""
    return counted("{number} review", "{number} reviews", task.fields["reviews"])


def rate(task: Task) -> str:
    """Reviews a second."""
    elapsed = task.elapsed or 0.0
    if elapsed <= SURE_AFTER_S:
        return ""
    return translated("{rate} reviews/s", rate=grouped(round(task.fields["reviews"] / elapsed)))


def gone(task: Task) -> str:
    """The time that it has taken."""
    return clock_time(task.elapsed or 0.0)


def left(task: Task) -> str:
    """About how long it takes from now on, at the pace of the last half minute."""
    seconds = None if task.finished else task.time_remaining
    return "" if seconds is None else translated("about {time} left", time=clock_time(seconds))
