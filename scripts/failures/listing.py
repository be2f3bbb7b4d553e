"""`otzyv failures list`: groups of failures, and what lies in the dead-letter queues, at any width."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import typer
from rich.padding import Padding
from rich.text import Text

from scripts.command.console import out, remark
from scripts.command.escaping import escaped
from scripts.failures.document import as_json
from scripts.language.language import counted, grouped, translated
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
    _line(total_line(total, groups, len(found)))
    if queues is None:
        remark(translated("dead letters not shown"), broken)
    else:
        _print_queues(queues)


def total_line(total: int, groups: int, shown: int) -> str:
    """How many there are, how many of them are shown, and what shows more."""
    told = translated(
        "{failures} in {groups}",
        failures=counted("{number} failure", "{number} failures", total),
        groups=counted("{number} group", "{number} groups", groups),
    )
    if groups > shown:
        told += translated(
            ", the newest {number} of which are shown; --limit shows more", number=grouped(shown)
        )
    return told + (translated("; `otzyv failures show EXAMPLE` says more") if shown else "")


def _print_groups(found: Sequence[Group]) -> None:
    """A line for each group with its reason below it; of the dates as many as there is room for."""
    names = (translated("count"), translated("example"), translated("what"), translated("queue"))
    rows: list[tuple[str, ...]] = [(*names, translated("newest (UTC)"), translated("first (UTC)"))]
    for group in found:
        dates = (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (group.newest, group.first))
        rows.append((grouped(group.count), str(group.example), group.kind, escaped(group.queue), *dates))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    shown = next((n for n in (6, 5) if sum(widths[:n]) + 2 * (n - 1) <= out.width), 4)
    # Numbers stand at the right.
    marks = [f"{'>' if at < 2 else '<'}{width}" for at, width in enumerate(widths[:shown])]
    heads, *lines = ("  ".join(map(format, row, marks)).rstrip() for row in rows)
    out.print(translated("Failures"), style="italic")
    out.print(Text(heads, style="bold"), soft_wrap=True)
    for line, group in zip(lines, found, strict=True):
        _line(line)
        _reason(_short(group.reason))


def _print_queues(queues: Iterable[DeadQueue]) -> None:
    filled = [queue for queue in queues if queue.messages]
    if not filled:
        _line(translated("no dead letters"))
        return
    out.print(translated("Dead letters"), style="italic")
    for queue in filled:
        messages = queue.messages or 0
        looked_at = ""
        if queue.looked_at < messages:
            looked_at = translated(", reasons of the first {number}", number=grouped(queue.looked_at))
        _line(f"{queue.queue}: {counted('{number} message', '{number} messages', messages)}{looked_at}")
        causes = merged(queue.causes)
        for reason, count in causes[:CAUSES]:
            _reason(f"{grouped(count)} × {_short(reason)}")
        if len(causes) > CAUSES:
            others = sum(count for _, count in causes[CAUSES:])
            _reason(counted("and {number} with another reason", "and {number} with other reasons", others))


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


def _short(reason: str) -> str:
    shown = escaped(reason[: REASON_CHARS + 1])
    return shown if len(reason) <= REASON_CHARS else f"{shown[: REASON_CHARS - 1]}…"
