"""`otzyv failures`: failures and dead letters, shown, tried again, or given up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import msgspec
import typer
from rich.table import Table

from scripts.console import err, out, remark, review_progress
from scripts.escaping import decoded, escaped
from shared import failing
from shared.errors import ConfigurationError, OtzyvError
from shared.failing import Part
from shared.settings import Settings
from shared.store import Database, failures
from shared.store.failures import MAX_PAYLOAD_BYTES, Choice, Failure, Group, Kind
from workers import runtime, topology
from workers.confirmed import Confirmed
from workers.dead_letters import DeadLetters, DeadQueue, line_of

APPLICATION = "otzyv failures"
MOST = 2_000
"""Characters of a text, or bytes of a payload, that are shown without --full."""
REASON_CHARS = 160

_NAMES: Mapping[Kind, str] = {
    "stage": "reviews that a stage could not process",
    "prediction": "reviews that could not be predicted",
    "rejected": "rejected messages or reviews",
}


def show_groups(choice: Choice, limit: int, settings: Settings, *, as_json: bool) -> None:
    """`otzyv failures list`."""
    with runtime.open_database(settings, APPLICATION).transaction() as cursor:
        found, groups, total = failures.groups(cursor, choice, limit)
    queues, broken = _dead_queues(settings)
    if as_json:
        document = {
            "failures": total,
            "groups": msgspec.to_builtins(found),
            "dead_letters": None if queues is None else msgspec.to_builtins(queues),
            "broker": broken or "ok",
        }
        out.print_json(json.dumps(document, ensure_ascii=False))
        return
    if found:
        out.print(_groups_table(found))
    out.print(
        f"{total:,} failures in {groups:,} groups"
        + (f", the newest {len(found)} of which are shown; --limit shows more" if groups > len(found) else "")
        + ("; `otzyv failures show EXAMPLE` says more" if found else "")
    )
    if queues is None:
        remark("dead letters not shown", broken)
    else:
        _print_queues(queues)


def _dead_queues(settings: Settings) -> tuple[list[DeadQueue] | None, str]:
    """What the dead-letter queues hold; or None, and why RabbitMQ does not say."""
    try:
        with Confirmed(settings, declare=False) as confirmed:
            dead_letters = DeadLetters(confirmed)
            return [dead_letters.look(line) for line in topology.LINES], ""
    except OtzyvError as error:
        return None, str(error)


def _groups_table(found: Iterable[Group]) -> Table:
    table = Table("queue", "what", "reason", title="Failures", title_justify="left", box=None, pad_edge=False)
    for name in ("count", "example"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("first (UTC)", "newest (UTC)"):
        table.add_column(name, no_wrap=True)
    for group in found:
        table.add_row(
            group.queue,
            group.kind,
            _short(group.reason),
            f"{group.count:,}",
            str(group.example),
            f"{group.first:%Y-%m-%d %H:%M:%S}",
            f"{group.newest:%Y-%m-%d %H:%M:%S}",
        )
    return table


def _print_queues(queues: Iterable[DeadQueue]) -> None:
    filled = [queue for queue in queues if queue.messages]
    if not filled:
        out.print("no dead letters")
        return
    table = Table("queue", title="Dead letters", title_justify="left", box=None, pad_edge=False)
    table.add_column("messages", justify="right")
    table.add_column("reasons")
    for queue in filled:
        causes = [f"{count:,} × {_short(reason)}" for reason, count in queue.causes]
        if queue.looked_at < (queue.messages or 0):
            causes.append(f"(of the first {queue.looked_at:,})")
        table.add_row(queue.queue, f"{queue.messages:,}", "\n".join(causes))
    out.print(table)


def _short(reason: str) -> str:
    shown = escaped(reason[: REASON_CHARS + 1])
    return shown if len(reason) <= REASON_CHARS else f"{shown[: REASON_CHARS - 1]}…"


def show(number: int, settings: Settings, *, full: bool) -> None:
    """`otzyv failures show`. Raises ConfigurationError for a number that no failure has."""
    with runtime.open_database(settings, APPLICATION).transaction() as cursor:
        failure = failures.get(cursor, number, None if full else MOST)
    if failure is None:
        raise _unknown([number])
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column("what", no_wrap=True)
    table.add_column("value", overflow="fold")
    for name, value in _facts(failure):
        if value is not None:
            table.add_row(name, escaped(value))
    out.print(table)
    if failure.payload is not None:
        shown = decoded(failure.payload, cut=len(failure.payload) < failure.size)
        _print_cut("payload", shown, len(failure.payload), failure.size, "bytes")
    elif failure.text is not None:
        _print_cut("text", failure.text, len(failure.text), failure.size, "characters")


def _facts(failure: Failure) -> list[tuple[str, str | None]]:
    name = None
    if failure.source is not None or failure.external_id is not None:
        name = f"{failure.source or '?'}/{failure.external_id or '?'}"
    stored = None if failure.review_id is None else f"{failure.review_id}, revision {failure.revision}"
    return [
        ("failure", str(failure.number)),
        ("what", f"one of the {_NAMES[failure.kind]}"),
        ("queue", failure.queue),
        ("reason", failure.reason),
        ("when", f"{failure.at:%Y-%m-%d %H:%M:%S} UTC"),
        ("traceback", failure.traceback_hash),
        ("batch", failure.batch),
        ("taxonomy", failure.taxonomy),
        ("review", name),
        ("review number", stored),
        ("since then", failure.settled),
        ("retry", _obstacle(failure)),
    ]


def _obstacle(failure: Failure) -> str | None:
    if failure.kind == "rejected" and failure.size >= MAX_PAYLOAD_BYTES:
        return f"not possible: the payload was cut at {MAX_PAYLOAD_BYTES:,} bytes"
    if failure.settled is not None:
        return "not needed; `otzyv failures drop` forgets this failure"
    return None


def _print_cut(what: str, text: str, shown: int, size: int, unit: str) -> None:
    cut = f", the first {shown:,} of them; --full shows all" if shown < size else ""
    out.print(f"{what} ({size:,} {unit}{cut}):", soft_wrap=True)
    out.print(escaped(text, lines=True), soft_wrap=True)


def retry(choice: Choice, settings: Settings) -> int:
    """`otzyv failures retry`; returns how many failures were left as they are."""
    from workers.second_try import SecondTry

    here = runtime.build(settings)
    choice, counts = _meant(here.database, choice)
    if not counts:
        return 0
    with Confirmed(settings) as confirmed:
        seen, done, _ = _through("sent again", SecondTry(here, confirmed).retry(choice), sum(counts.values()))
    out.print(f"sent again: {done:,} of {sum(counts.values()):,}", soft_wrap=True)
    if left := seen - done:
        remark(
            f"left {left:,}",
            "their text has been replaced, they are labelled, predicted or wait already, or their payload was "
            f"cut at {MAX_PAYLOAD_BYTES:,} bytes; `otzyv failures show NUMBER` says which",
        )
    return left


def drop(choice: Choice, settings: Settings, *, ask: bool) -> None:
    """`otzyv failures drop`."""
    database = runtime.open_database(settings, APPLICATION)
    choice, counts = _meant(database, choice)
    if not counts:
        return
    if ask:
        for kind, count in counts.items():
            err.print(f"{count:,} {_NAMES[kind]}")
        typer.confirm("Drop them? Reviews without a label are given to a person", abort=True, err=True)
    parts = (part for kind in counts for part in failing.drop(database, choice, kind))
    _, done, to_people = _through("dropped", parts, sum(counts.values()))
    out.print(f"dropped: {done:,}; {to_people:,} of these reviews need a person now", soft_wrap=True)


def _meant(database: Database, choice: Choice) -> tuple[Choice, Mapping[Kind, int]]:
    """The choice without what comes later, and how many of each kind it means. Raises ConfigurationError."""
    with database.transaction() as cursor:
        if unknown := failures.missing(cursor, choice.numbers or ()):
            raise _unknown(unknown)
        counts, upto = failures.count(cursor, choice)
    if not counts:
        out.print("no failures match")
    return msgspec.structs.replace(choice, upto=upto), counts


def _unknown(numbers: list[int]) -> ConfigurationError:
    shown = ", ".join(str(number) for number in numbers[:10])
    return ConfigurationError(
        f"failures: expected numbers that `otzyv failures list` and its filters lead to, found no failure {shown}; "
        "it may have been retried or dropped already"
    )


def _through(what: str, parts: Iterable[Part], total: int) -> tuple[int, int, int]:
    """Show progress through the parts; returns how many were seen and done, and how many reviews they were."""
    seen = done = reviews = 0
    try:
        with review_progress() as progress:
            task = progress.add_task(what, total=total, note="")
            for part in parts:
                seen, done, reviews = seen + part.seen, done + part.done, reviews + len(part.reviews)
                progress.update(task, completed=seen)
    except OtzyvError:
        err.print(
            f"stopped: {what}: {done:,}; the same command goes on with the rest. Reviews that wait again and were not "
            "sent are sent by the sweep (`otzyv beat`)",
            soft_wrap=True,
        )
        raise
    return seen, done, reviews


def retry_dead_letters(queue: str, settings: Settings) -> int:
    """`otzyv failures retry --dead-letters`; returns how many were left, which is none."""
    line = line_of(queue)
    with Confirmed(settings) as confirmed:
        dead_letters = DeadLetters(confirmed)
        total = dead_letters.count(line) or 0
        moved = _each(f"{queue} to {line.queue}", dead_letters.send_back(line, total), total)
    out.print(f"sent back to {line.queue}: {moved:,}", soft_wrap=True)
    if moved and line is topology.INCOMING:
        remark("note", "rows of failures stay; `otzyv failures retry --queue reviews.incoming` is for them")
    return 0


def drop_dead_letters(queue: str, settings: Settings, *, ask: bool) -> None:
    """`otzyv failures drop --dead-letters`."""
    line = line_of(queue)
    with Confirmed(settings) as confirmed:
        total = DeadLetters(confirmed).count(line) or 0
    # RabbitMQ hears no heartbeats while a person thinks: no connection is open meanwhile.
    if ask and total:
        typer.confirm(f"Remove {total:,} messages from {queue}?", abort=True, err=True)
    with Confirmed(settings) as confirmed:
        dropped = _each(f"removed from {queue}", DeadLetters(confirmed).drop(line, total), total)
    out.print(f"removed from {queue}: {dropped:,}", soft_wrap=True)


def _each(what: str, steps: Iterable[None], total: int) -> int:
    done = 0
    if not total:
        return 0
    try:
        with review_progress() as progress:
            task = progress.add_task(what, total=total, note="")
            for _ in steps:
                done += 1
                progress.update(task, completed=done)
    except OtzyvError:
        err.print(f"stopped: {done:,} messages; the same command goes on with the rest", soft_wrap=True)
        raise
    return done
