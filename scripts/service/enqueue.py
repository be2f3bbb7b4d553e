"""`otzyv enqueue`: send a file of reviews to RabbitMQ, and follow them to their labels."""

from __future__ import annotations

import time
import uuid
from itertools import chain

from rich.progress import Progress, TaskID

from scripts.command.console import err, out, remark
from scripts.command.ending import told_when_ended
from scripts.command.progress import file_progress, review_progress
from scripts.files.review_rows import ReviewRows, pack
from scripts.language.language import counted, decimal, grouped, translated
from scripts.pages.tables import table
from shared.errors import InputFileError, OtzyvError
from shared.reviews.wire import MAX_REVIEWS_PER_MESSAGE
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import Database, batches, failures
from shared.store.batches import BatchProgress
from workers.rabbitmq import topology
from workers.rabbitmq.publisher import Publisher
from workers.rabbitmq.queue_states import queue_states
from workers.rabbitmq.topology import Lane

POLL_S = 0.5
SHOWN_REASONS, MOST_REASONS = 10, 10_000
"""Reasons of rejected reviews that are shown, the most frequent ones, and that are counted."""
STUCK_AFTER_S = 30.0  # workers may just be starting, on a busy machine


def enqueue(
    rows: ReviewRows, settings: Settings, patience_s: float = 600.0, lane: Lane = "bulk"
) -> tuple[uuid.UUID, int]:
    """Publish every row with confirms; returns the batch id and how many reviews were sent.

    A full queue is waited for, up to `patience_s` seconds in which it takes nothing.
    """
    rows.check_ids()
    batch = uuid.uuid4()
    sent = 0
    try:
        with file_progress() as progress:
            task = progress.add_task(translated("sending {file}", file=rows.file.name), total=1.0, reviews=0)
            slowed = _Slowed(progress, task)
            with Publisher(settings, slowed.down, slowed.no_more, patience_s, lane) as publisher:
                wire = chain.from_iterable(part for _, part in rows.chunks())
                groups = pack(wire, min(settings.batch_rows, MAX_REVIEWS_PER_MESSAGE))
                for message in publisher.send(batch, rows.file.name, groups):
                    if sent == 0:
                        out.print(translated("batch {batch}", batch=batch), soft_wrap=True)
                    sent += message.reviews
                    progress.update(task, completed=rows.file.fraction_read, reviews=sent)
                progress.update(task, completed=1.0)
    except (OtzyvError, KeyboardInterrupt, SystemExit):
        told = counted(
            "stopped: {number} review had been confirmed; sending the same file again is safe",
            "stopped: {number} reviews had been confirmed; sending the same file again is safe",
            sent,
        )
        err.print(told)
        raise
    told = counted(
        "sent {number} review; `otzyv status {batch}` shows how far it is",
        "sent {number} reviews; `otzyv status {batch}` shows how far they are",
        sent,
        batch=batch,
    )
    out.print(told, soft_wrap=True)
    return batch, sent


class _Slowed:
    """Says once why sending waits, and how long it did in the end."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task
        self._since: float | None = None

    def down(self, why: str, _seconds: float) -> None:
        """A message waits."""
        if self._since is None:
            self._since = time.monotonic()
            remark(translated("slowed down"), why)
        self._progress.update(self._task, note=translated("waiting: {why}", why=why))

    def no_more(self) -> None:
        """It has been confirmed."""
        if self._since is not None:
            seconds = decimal(time.monotonic() - self._since, 0)
            remark(translated("going on"), translated("after {seconds} s", seconds=seconds))
        self._since = None
        self._progress.update(self._task, note="")


def follow(batch: uuid.UUID, sent: int, settings: Settings, lane: Lane = "bulk") -> bool:
    """Show progress until every review of the batch is settled (True), or waits where nobody works (False)."""
    here = runtime.build(settings)
    done, moved_at, stuck = 0, time.monotonic(), False
    still = translated("the reviews need nobody to watch them: `otzyv status {batch}`", batch=batch)
    with review_progress() as progress, told_when_ended(translated("goes on"), lambda: still):
        task = progress.add_task(translated("labelling"), total=sent, note="")
        while True:
            began = time.monotonic()
            with here.database.transaction() as cursor:
                state = batches.progress(cursor, str(batch), here.taxonomy_id)
            # Following must not become the load: look at most a tenth of the time.
            pause_s = max(POLL_S, 9 * (time.monotonic() - began))
            before, done = done, state.settled + state.rejected if state else 0
            moved_at = moved_at if done == before else time.monotonic()
            finished = state is not None and state.complete and not state.waiting
            note = waits(state) if state else ""
            if not finished and time.monotonic() - moved_at >= STUCK_AFTER_S:
                idle, stuck = _unattended(state, settings, lane)
                nobody = translated("nobody consumes {queues}", queues=", ".join(idle)) if idle else ""
                note = "; ".join(filter(None, [note, nobody]))
            progress.update(task, completed=done, note=note)
            if finished or stuck:
                break
            time.sleep(pause_s)
    if state is None:
        told = translated(
            "batch {batch}: {note}; start `{command}`", batch=batch, note=note, command=settings.taken_in_by
        )
        remark(translated("nothing stored yet"), told)
    else:
        _show(state, here.database)
        if not finished:
            remark(translated("not finished"), note)
    return finished


def waits(state: BatchProgress) -> str:
    """How many of its reviews wait for which stage."""
    waiting = state.waiting.items()
    return ", ".join(
        counted("{number} waits for {stage}", "{number} wait for {stage}", number, stage=stage)
        for stage, number in waiting
    )


def _unattended(state: BatchProgress | None, settings: Settings, lane: Lane) -> tuple[list[str], bool]:
    """The queues that the batch needs and nobody consumes, and whether these are all that it needs."""
    consumers = {queue.line.queue: queue.consumers for queue in queue_states(settings)}
    lines = [topology.INCOMING] if state is None or not state.complete else []
    lines += [topology.stage_lines(settings)[stage] for stage in (state.waiting if state else ())]
    wanted = dict.fromkeys(topology.in_lane(line, lane).queue for line in lines)
    idle = [name for name in wanted if not consumers.get(name)]
    return idle, bool(idle) and len(idle) == len(wanted)


def show_batch(batch: uuid.UUID, settings: Settings) -> None:
    """`otzyv status BATCH`. Raises InputFileError for a batch of which nothing has been stored."""
    here = runtime.build(settings)
    with here.database.transaction() as cursor:
        state = batches.progress(cursor, str(batch), here.taxonomy_id)
    if state is None:
        raise InputFileError(
            f"batch {batch}: expected a batch that has begun to arrive, found none; `{settings.taken_in_by}` has "
            "to run"
        )
    _show(state, here.database)


def _show(state: BatchProgress, database: Database) -> None:
    """How far a batch has come, and why some of it was rejected."""
    stored = grouped(state.messages_stored)
    rows = (
        (
            translated("messages stored"),
            translated("{stored}, more to come", stored=stored)
            if state.messages is None
            else translated("{stored} of {all}", stored=stored, all=grouped(state.messages)),
        ),
        (translated("reviews received"), grouped(state.received)),
        ("  " + translated("settled (labelled, needs_review or failed)"), grouped(state.settled)),
        *(
            ("  " + translated("waiting for {stage}", stage=stage), grouped(count))
            for stage, count in state.waiting.items()
        ),
        ("  " + translated("failed in a stage"), grouped(state.failed)),
        (translated("rejected (broke the contract)"), grouped(state.rejected)),
    )
    title = f"{translated('batch {batch}', batch=state.batch_id)}  {state.name}"
    out.print(table(("", ""), rows, title=title, show_header=False, pad_edge=True))
    with database.transaction() as cursor:
        reasons = failures.reasons(cursor, str(state.batch_id), MOST_REASONS)
    for reason, example, count in reasons[:SHOWN_REASONS]:
        told = translated(
            "rejected {number}: {reason} (for example {example})",
            number=grouped(count),
            reason=reason,
            example=example,
        )
        out.print(f"  {told}")
    if others := reasons[SHOWN_REASONS:]:
        told = counted("and {number} other reason", "and {number} other reasons", len(others))
        out.print(f"  {told}: {grouped(sum(count for *_, count in others))}")
