"""`otzyv runs list`, `show`, `watch` and `cancel`: training runs as they stand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Column
from rich.text import Text

from scripts.command.console import err, out, remark
from scripts.command.database import opened
from scripts.command.ending import told_when_ended
from scripts.command.progress import Lines
from scripts.language.language import counted, translated
from scripts.pages import figures
from scripts.pages.tables import figure, table
from shared.errors import RetryableError, TrainingError
from shared.runs import folder
from shared.runs.pace import clock_time
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store import runs
from shared.store.runs import LoggedValue, Run

LOOK_S: Final = 0.5
BARS: Final = "▁▂▃▄▅▆▇█"
CURVE: Final = 40
"""Characters of a curve in the terminal."""
ENDED: Final = ("succeeded", "failed", "cancelled")
STYLES: Final = {
    "succeeded": "green",
    "failed": "bold red",
    "cancelled": "yellow",
    "running": "cyan",
    "queued": "",
}


def show_all(n: int, settings: Settings, store: Path | None, *, as_json: bool) -> None:
    """The newest runs, as a table."""
    with opened(settings, store, "otzyv runs") as here, here.database.transaction() as cursor:
        found = runs.of_taxonomy(cursor, here.taxonomy.name, n)
    if as_json:
        out.print_json(data=msgspec.to_builtins(found))
    elif found:
        out.print(table_of(found))
    else:
        first = f"`otzyv train linear --here --store {store}`" if store else "`otzyv train linear`"
        told = translated("no training runs for this taxonomy; {command} asks for one", command=first)
        out.print(told, soft_wrap=True)


def table_of(found: Sequence[Run]) -> Group:
    """Runs with their state, newest last, and what they do or why they ended."""
    ordered = sorted(found, key=lambda run: run.id)
    rows: list[Sequence[RenderableType]] = []
    for run in ordered:
        score = run.facts.get("metrics", {}).get("weighted_f1")
        done = figures.whole_percent(run.progress)
        state = (Text(run.status, style=STYLES[run.status]), done, clock_time(run.spent_s))
        result = (
            "" if score is None else figures.share(score),
            "" if run.model_id is None else str(run.model_id),
        )
        rows.append((str(run.id), run.architecture, str(run.seed), *state, *result))
    told = [
        Text(translated("run {number}: {message}", number=run.id, message=run.message))
        for run in ordered
        if run.message
    ]
    return Group(table(heads(), rows, left=2), *told)


def heads() -> tuple[Column, ...]:
    """The columns of a table of runs."""
    left = (
        Column(translated("run"), no_wrap=True),
        Column(translated("architecture"), overflow="fold", min_width=9),
        figure(translated("seed")),
        Column(translated("status"), no_wrap=True),
    )
    numbers = (
        translated("done"),
        translated("time"),
        translated("weighted F1\non gold"),
        translated("model"),
    )
    return (*left, *map(figure, numbers))


def show(number: int, settings: Settings, store: Path | None) -> None:
    """All about one run."""
    with opened(settings, store, "otzyv runs") as here, here.database.transaction() as cursor:
        run = _run(runs.get(cursor, number), number)
        points = runs.points(cursor, number)
    out.print(table_of([run]))
    times = (
        (translated("asked for"), run.created_at),
        (translated("began"), run.started_at),
        (translated("ended"), run.finished_at),
    )
    for name, moment in times:
        if moment is not None:
            out.print(f"{name}: {moment:%Y-%m-%d %H:%M:%S} UTC")
    told = translated(
        "asked for by {who}: {reason}; experiment {experiment}, worker {worker}",
        who=run.asked_by,
        reason=run.reason,
        experiment=run.experiment,
        worker=run.worker or translated("none"),
    )
    out.print(told, soft_wrap=True)
    arguments = run.arguments if isinstance(run.arguments, dict) else {"": run.arguments}
    _print_values(translated("arguments"), arguments)
    _print_values(translated("facts"), run.facts)
    for name in dict.fromkeys(point.name for point in points):
        out.print(_curve(name, [point for point in points if point.name == name]), soft_wrap=True)


def _print_values(title: str, values: dict[str, object]) -> None:
    if values:
        out.print(f"{title}:")
    for name, value in values.items():
        if value in (None, "", []):
            continue
        shown = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
        out.print(f"  {name}: {shown}", soft_wrap=True)


def _curve(name: str, points: Sequence[LoggedValue]) -> str:
    values = [point.value for point in points]
    shown = min(CURVE, len(values))
    picked = [values[at * (len(values) - 1) // max(1, shown - 1)] for at in range(shown)]
    least, most = min(values), max(values)
    span = (most - least) or 1.0
    bars = "".join(BARS[round((value - least) / span * (len(BARS) - 1))] for value in picked)
    first, last, low, high = (figures.short(one, 4) for one in (values[0], values[-1], least, most))
    reach = translated("{low} to {high}", low=low, high=high)
    points_there = counted("{number} point", "{number} points", len(values))
    return f"{name:16} {bars} {first} → {last} ({reach}, {points_there})"


def _run(found: Run | None, number: int) -> Run:
    if found is None:
        raise TrainingError(f"expected the number of a training run, found {number}; see `otzyv runs list`")
    return found


def cancel(number: int, settings: Settings, store: Path | None) -> None:
    """Cancel a run."""
    with opened(settings, store, "otzyv runs") as here, here.database.transaction() as cursor:
        run = _run(runs.get(cursor, number), number)
        status = runs.cancel(cursor, number)
    if run.status in ENDED:
        told = translated("run {number} has ended already: {status}", number=number, status=run.status)
        out.print(told)
    elif status == "cancelled":
        folder.clear(settings.training, run)
        out.print(translated("run {number} is cancelled", number=number))
    else:
        out.print(translated("run {number} stops at its next step", number=number))


def watch(numbers: list[int], settings: Settings, store: Path | None) -> bool:
    """Show runs until they have ended; whether all succeeded."""
    with opened(settings, store, "otzyv runs") as here:
        wanted = numbers or unfinished(here)
        if not wanted:
            out.print(translated("no run is queued or at work; see `otzyv runs list`"))
            return True
        return watched(here, wanted)


def unfinished(here: Runtime) -> list[int]:
    """The runs of the taxonomy that have not ended, oldest first."""
    with here.database.transaction() as cursor:
        found = runs.of_taxonomy(cursor, here.taxonomy.name)
    return [run.id for run in reversed(found) if run.status not in ENDED]


def watched(here: Runtime, numbers: Sequence[int]) -> bool:
    """The same for runs that other processes work on, which whoever stops watching does not end."""
    still = translated("the runs need nobody to watch them; see `otzyv runs list`")
    with told_when_ended(translated("go on"), lambda: still):
        return follow_all(here, numbers)


def follow_all(here: Runtime, numbers: Sequence[int], *, while_: Callable[[], bool] = lambda: True) -> bool:
    """Show runs until they have ended, or `while_` does not hold; whether all succeeded."""
    found = _look(here, numbers)
    news = RunNews()
    with Live(console=err, refresh_per_second=4, transient=True) as live:
        while while_() and any(run.status not in ENDED for run in found):
            live.update(table_of(found))
            if not err.is_terminal:
                for line in news.of(found):
                    err.print(line, soft_wrap=True)
            time.sleep(LOOK_S)
            try:
                found = _look(here, numbers)
            except RetryableError as error:
                remark(translated("waiting"), str(error))
    found = _look(here, numbers)
    out.print(table_of(found))
    return all(run.status == "succeeded" for run in found)


class RunNews:
    """Lines for where no table can be redrawn: what a run does now, at once, and how far it is, now and then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[int, str] = {}
        self._lines: dict[int, Lines] = {}

    def of(self, found: Iterable[Run]) -> Iterator[str]:
        """What there is to say now."""
        for run in found:
            doing = f"{run.status} {run.message.partition(';')[0]}"
            changed = self._said.get(run.id) != doing
            if changed:
                self._said[run.id], self._lines[run.id] = doing, Lines(self._clock)
            if changed or (run.status == "running" and self._lines[run.id].due()):
                share = f", {figures.whole_percent(run.progress)}" if run.status == "running" else ""
                message = f"; {run.message}" if run.message else ""
                which = translated(
                    "run {number}, {architecture}, seed {seed}",
                    number=run.id,
                    architecture=run.architecture,
                    seed=run.seed,
                )
                yield f"{which}: {run.status}{share}{message}"


def _look(here: Runtime, numbers: Sequence[int]) -> list[Run]:
    with here.database.transaction() as cursor:
        return [_run(runs.get(cursor, number), number) for number in numbers]
