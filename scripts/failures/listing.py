"""`otzyv failures list`: groups of failures, and what lies in the dead-letter queues, at any width."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec
import typer
from rich.padding import Padding
from rich.text import Text

from scripts.command.console import out, remark
from scripts.command.escaping import escaped
from scripts.failures.document import as_json
from shared.errors import OtzyvError
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import failures
from shared.store.failures import FailureFilter, Group
from workers.rabbitmq import topology
from workers.rabbitmq.confirmed import Confirmed
from workers.rabbitmq.dead_letters import DeadLetters, DeadQueue

APPLICATION = "otzyv failures"
REASON_CHARS = 240
CAUSES = 5
"""Reasons that are shown of one dead-letter queue."""
_INDENT = 4


def show_groups(choice: FailureFilter, limit: int, settings: Settings, *, json: bool) -> None:
    """Print them, as tables or as JSON."""
    with runtime.open_database(settings, APPLICATION).transaction() as cursor:
        found, groups, total = failures.groups(cursor, choice, limit)
    queues, broken = None, "ok"
    try:
        with Confirmed(settings, declare=False) as confirmed:
            dead_letters = DeadLetters(confirmed)
            queues = [dead_letters.look(line) for line in topology.LINES]
    except OtzyvError as error:
        broken = str(error)
    if json:
        document = {
            "failures": total,
            "groups": msgspec.to_builtins(found),
            "dead_letters": None if queues is None else msgspec.to_builtins(queues),
            "broker": broken,
        }
        typer.echo(as_json(document))
        return
    if found:
        _print_groups(found)
    _line(
        f"{_counted(total, 'failure')} in {_counted(groups, 'group')}"
        + (f", the newest {len(found)} of which are shown; --limit shows more" if groups > len(found) else "")
        + ("; `otzyv failures show EXAMPLE` says more" if found else "")
    )
    if queues is None:
        remark("dead letters not shown", broken)
    else:
        _print_queues(queues)


class _Column(NamedTuple):
    name: str
    value: Callable[[Group], str]
    left: bool = False


_COLUMNS = (
    _Column("count", lambda group: f"{group.count:,}"),
    _Column("example", lambda group: str(group.example)),
    _Column("what", lambda group: group.kind, left=True),
    _Column("queue", lambda group: escaped(group.queue), left=True),
)
_DATES = (
    _Column("newest (UTC)", lambda group: f"{group.newest:%Y-%m-%d %H:%M:%S}", left=True),
    _Column("first (UTC)", lambda group: f"{group.first:%Y-%m-%d %H:%M:%S}", left=True),
)


def _print_groups(found: Sequence[Group]) -> None:
    """A line for each group with its reason below it; of the dates as many as there is room for."""
    chosen = (_lines([*_COLUMNS, *_DATES[:dates]], found) for dates in (2, 1))
    lines = next((one for one in chosen if max(map(len, one)) <= out.width), _lines(_COLUMNS, found))
    out.print("Failures", style="italic")
    out.print(Text(lines[0], style="bold"), soft_wrap=True)
    for line, group in zip(lines[1:], found, strict=True):
        _line(line)
        _reason(_short(group.reason))


def _lines(columns: Sequence[_Column], found: Iterable[Group]) -> list[str]:
    """The heading and a line for each group, each column as wide as its longest value."""
    cells = [[column.name for column in columns]]
    cells += [[column.value(group) for column in columns] for group in found]
    widths = [max(map(len, values)) for values in zip(*cells, strict=True)]
    return [
        "  ".join(
            value.ljust(width) if column.left else value.rjust(width)
            for column, value, width in zip(columns, row, widths, strict=True)
        ).rstrip()
        for row in cells
    ]


def _print_queues(queues: Iterable[DeadQueue]) -> None:
    filled = [queue for queue in queues if queue.messages]
    if not filled:
        _line("no dead letters")
        return
    out.print("Dead letters", style="italic")
    for queue in filled:
        messages = queue.messages or 0
        looked_at = f", reasons of the first {queue.looked_at:,}" if queue.looked_at < messages else ""
        _line(f"{queue.queue}: {_counted(messages, 'message')}{looked_at}")
        causes = merged(queue.causes)
        for reason, count in causes[:CAUSES]:
            _reason(f"{count:,} × {_short(reason)}")
        if len(causes) > CAUSES:
            _reason(f"and {sum(count for _, count in causes[CAUSES:]):,} with other reasons")


def merged(causes: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Causes that are the same but for the numbers in them as one, in the words of the first; most frequent first."""
    counts: Counter[str] = Counter()
    words: dict[str, str] = {}
    for reason, count in causes:
        shape = re.sub(r"[0-9]+", "N", reason)
        words.setdefault(shape, reason)
        counts[shape] += count
    return [(words[shape], count) for shape, count in counts.most_common()]


def _reason(text: str) -> None:
    """Below its line and indented; on a terminal in lines as wide as that, elsewhere in one line for other programs."""
    if out.is_terminal:
        out.print(Padding(Text(text), (0, 0, 0, _INDENT)))
    else:
        _line(" " * _INDENT + text)


def _line(text: str) -> None:
    out.print(Text(text), soft_wrap=True)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def _short(reason: str) -> str:
    shown = escaped(reason[: REASON_CHARS + 1])
    return shown if len(reason) <= REASON_CHARS else f"{shown[: REASON_CHARS - 1]}…"
