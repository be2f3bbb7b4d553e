"""`otzyv failures retry` and `drop`: failures and dead letters, tried again or given up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from scripts.command.console import err, out, remark, require_yes
from scripts.command.progress import review_progress
from scripts.failures.details import unknown
from scripts.failures.kinds import loss, question
from scripts.failures.listing import APPLICATION
from scripts.language.language import Sentence, counted, grouped, translated
from shared.errors import OtzyvError
from shared.labelling import second_try
from shared.labelling.second_try import RetriedPart
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import Database, failures
from shared.store.failures import MAX_PAYLOAD_BYTES, FailureFilter, FailureKind
from workers.rabbitmq import topology
from workers.rabbitmq.confirmed import Confirmed
from workers.rabbitmq.connection import connected
from workers.rabbitmq.dead_letters import DeadLetters, line_of
from workers.rabbitmq.queue_states import counted as counted_messages
from workers.tasks import second_try as sent

SWEPT = Sentence(". Reviews that wait again and were not sent are sent by the sweep (`otzyv beat`)")


def retry(choice: FailureFilter, settings: Settings) -> int:
    """`otzyv failures retry`; returns how many failures were left as they are."""
    here = runtime.build(settings)
    choice, counts = _meant(here.database, choice)
    if not counts:
        return 0
    with Confirmed(settings) as confirmed:
        parts = sent.retry(here, confirmed, choice)
        seen, done, _ = _through(translated("sent again"), parts, sum(counts.values()), SWEPT)
    told = translated("sent again: {done} of {all}", done=grouped(done), all=grouped(sum(counts.values())))
    out.print(told, soft_wrap=True)
    if left := seen - done:
        remark(
            translated("left {number}", number=grouped(left)),
            translated(
                "their text has been replaced, they are labelled, predicted or wait already, or their payload was cut "
                "at {bytes} bytes; `otzyv failures show NUMBER` says which",
                bytes=grouped(MAX_PAYLOAD_BYTES),
            ),
        )
    _look_again(done)
    if counts.get("rejected"):
        _tell_unattended(settings)
    return left


def _tell_unattended(settings: Settings) -> None:
    """What was rejected by a stream comes by the queue: somebody has to read that."""
    with connected(settings) as connection:
        waiting, consumers = counted_messages(connection, topology.queue(topology.INCOMING))
    if waiting and not consumers:
        remark(
            translated("nobody reads them"),
            translated(
                "they wait in {queue}; start `{command}`",
                queue=topology.INCOMING.queue,
                command=settings.taken_in_by,
            ),
        )


def _look_again(sent: int) -> None:
    if sent:
        told = translated(
            "look at `otzyv failures list` again in a while: what fails once more comes back there"
        )
        remark(translated("note"), told)


def drop(choice: FailureFilter, settings: Settings, *, ask: bool) -> None:
    """`otzyv failures drop`."""
    database = runtime.open_database(settings, APPLICATION)
    choice, counts = _meant(database, choice)
    if not counts:
        return
    if ask:
        for kind, count in counts.items():
            err.print(loss(kind, count), soft_wrap=True)
        require_yes(question(counts))
    parts = (part for kind in counts for part in second_try.drop(database, choice, kind))
    _, done, to_people = _through(translated("dropped"), parts, sum(counts.values()), SWEPT)
    told = translated("dropped: {number}", number=grouped(done))
    if to_people:
        told += counted(
            "; {number} of these reviews needs a person now",
            "; {number} of these reviews need a person now",
            to_people,
        )
    out.print(told, soft_wrap=True)


def _meant(database: Database, choice: FailureFilter) -> tuple[FailureFilter, Mapping[FailureKind, int]]:
    """The choice without what comes later, and how many of each kind it means. Raises ConfigurationError."""
    with database.transaction() as cursor:
        if gone := failures.missing(cursor, choice.numbers or ()):
            raise unknown(gone)
        counts, upto = failures.count(cursor, choice)
    if not counts:
        out.print(translated("no failures match"))
    return msgspec.structs.replace(choice, upto=upto), counts


def _through(
    what: str, parts: Iterable[RetriedPart], total: int, still: Sentence | str = ""
) -> tuple[int, int, int]:
    """Show progress through the parts; returns how many were seen and done, and how many reviews they were.

    `still` is what else to say where it stops half-way.
    """
    seen = done = reviews = 0
    if not total:
        return seen, done, reviews
    try:
        with review_progress() as progress:
            task = progress.add_task(what, total=total, note="")
            for part in parts:
                seen, done, reviews = seen + part.seen, done + part.done, reviews + len(part.reviews)
                progress.update(task, completed=seen)
    except OtzyvError:
        told = translated(
            "stopped: {what}: {done}; the same command goes on with the rest", what=what, done=grouped(done)
        )
        err.print(f"{told}{still}", soft_wrap=True)
        raise
    return seen, done, reviews


def retry_dead_letters(queue: str, settings: Settings) -> None:
    """`otzyv failures retry --dead-letters`, which leaves none."""
    line = line_of(queue)
    with Confirmed(settings) as confirmed:
        dead_letters = DeadLetters(confirmed)
        total = dead_letters.count(line) or 0
        steps = (RetriedPart(1, 1) for _ in dead_letters.send_back(line, total))
        _, moved, _ = _through(f"{queue} → {line.queue}", steps, total)
    told = translated("sent back to {queue}: {number}", queue=line.queue, number=grouped(moved))
    out.print(told, soft_wrap=True)
    _look_again(moved)
    if moved and line is topology.INCOMING:
        _tell_unattended(settings)
        told = translated(
            "rows of failures stay; `otzyv failures retry --queue {queue}` is for them", queue=line.queue
        )
        remark(translated("note"), told)


def drop_dead_letters(queue: str, settings: Settings, *, ask: bool) -> None:
    """`otzyv failures drop --dead-letters`."""
    line = line_of(queue)
    with Confirmed(settings) as confirmed:
        total = DeadLetters(confirmed).count(line) or 0
    # RabbitMQ hears no heartbeats while a person thinks: no connection is open meanwhile.
    if ask and total:
        asked = counted(
            "Remove {number} message from {queue}?",
            "Remove {number} messages from {queue}?",
            total,
            queue=queue,
        )
        require_yes(asked)
    with Confirmed(settings) as confirmed:
        steps = (RetriedPart(1, 1) for _ in DeadLetters(confirmed).drop(line, total))
        _, dropped, _ = _through(translated("removed from {queue}", queue=queue), steps, total)
    told = translated("removed from {queue}: {number}", queue=queue, number=grouped(dropped))
    out.print(told, soft_wrap=True)
