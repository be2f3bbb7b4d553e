"""`otzyv enqueue`: send a file of reviews to RabbitMQ, and follow them to their labels."""

from __future__ import annotations

import time
import uuid
from itertools import chain

from rich.progress import Progress, TaskID

from scripts.command.console import err, file_progress, out, remark, review_progress
from scripts.files.review_rows import ReviewRows, pack
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
STUCK_AFTER_S = 30.0  # ingest and worker may just be starting, on a busy machine


def enqueue(
    rows: ReviewRows, settings: Settings, patience_s: float = 600.0, lane: Lane = "bulk"
) -> tuple[uuid.UUID, int]:
    """Publish every row with confirms; returns the batch id and how many reviews were sent.

    A full queue is waited for, up to `patience_s` seconds in which it takes nothing.
    """
    batch = uuid.uuid4()
    sent = 0
    try:
        with file_progress() as progress:
            task = progress.add_task(f"sending {rows.file.name}", total=1.0, reviews=0)
            slowed = _Slowed(progress, task)
            with Publisher(settings, slowed.down, slowed.no_more, patience_s, lane) as publisher:
                wire = chain.from_iterable(part for _, part in rows.chunks())
                groups = pack(wire, min(settings.batch_rows, MAX_REVIEWS_PER_MESSAGE))
                for message in publisher.send(batch, rows.file.name, groups):
                    if sent == 0:
                        out.print(f"batch {batch}", soft_wrap=True)
                    sent += message.reviews
                    progress.update(task, completed=rows.file.fraction_read, reviews=sent)
                progress.update(task, completed=1.0)
    except OtzyvError:
        err.print(f"stopped: {sent:,} reviews had been confirmed; sending the same file again is safe")
        raise
    out.print(f"sent {sent:,} reviews; `otzyv status {batch}` shows how far they are", soft_wrap=True)
    return batch, sent


class _Slowed:
    """Says once why sending waits, and how long it did in the end."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task
        self._description = progress.tasks[task].description
        self._since: float | None = None

    def down(self, why: str, _seconds: float) -> None:
        """A message waits."""
        if self._since is None:
            self._since = time.monotonic()
            remark("slowed down", why)
        self._progress.update(self._task, description=f"{self._description} (waiting: {why})")

    def no_more(self) -> None:
        """It has been confirmed."""
        if self._since is not None:
            remark("going on", f"after {time.monotonic() - self._since:.0f} s")
        self._since = None
        self._progress.update(self._task, description=self._description)


def follow(batch: uuid.UUID, sent: int, settings: Settings, lane: Lane = "bulk") -> bool:
    """Show progress until every review of the batch is settled, or waits where nobody works.

    True when all are settled.
    """
    here = runtime.build(settings)
    watch = _Watch(here.database, batch, here.taxonomy_id, settings, lane)
    with review_progress() as progress:
        task = progress.add_task("labelling", total=sent, note="")
        while True:
            state, note = watch.look()
            progress.update(task, completed=watch.done, note=note)
            if watch.finished or watch.stuck:
                break
            time.sleep(watch.pause_s)
    if state is None:
        remark("nothing stored yet", f"batch {batch}: {note}; start `otzyv ingest`")
    else:
        _show(state, here.database)
        if not watch.finished:
            remark("not finished", note)
    return watch.finished


class _Watch:
    """Looks at a batch again and again, and notices when nothing can move any more."""

    def __init__(
        self, database: Database, batch: uuid.UUID, taxonomy_id: int, settings: Settings, lane: Lane
    ) -> None:
        self._database, self._batch, self._taxonomy_id = database, str(batch), taxonomy_id
        self._settings, self._lane = settings, lane
        self._moved_at = time.monotonic()
        self.done = 0
        self.finished = self.stuck = False
        self.pause_s = POLL_S

    def look(self) -> tuple[BatchProgress | None, str]:
        """The batch's state now, and what it is waiting for."""
        clock = time.monotonic()
        with self._database.transaction() as cursor:
            state = batches.progress(cursor, self._batch, self._taxonomy_id)
        # Following must not become the load: look at most a tenth of the time.
        self.pause_s = max(POLL_S, 9 * (time.monotonic() - clock))
        done = state.settled + state.rejected if state else 0
        if done != self.done:
            self._moved_at = time.monotonic()
        self.done = done
        self.finished = state is not None and state.complete and not state.waiting
        return state, self._note(state)

    def _note(self, state: BatchProgress | None) -> str:
        waiting = {} if state is None else state.waiting
        waits = ", ".join(f"{n:,} wait for {stage}" for stage, n in waiting.items())
        if self.finished or time.monotonic() - self._moved_at < STUCK_AFTER_S:
            return waits
        consumers = {queue.line.queue: queue.consumers for queue in queue_states(self._settings)}
        lines = [topology.INCOMING] if state is None or not state.complete else []
        lines += [topology.stage_lines(self._settings)[stage] for stage in waiting]
        wanted = {topology.in_lane(line, self._lane).queue: None for line in lines}
        idle = [name for name in wanted if not consumers.get(name)]
        self.stuck = bool(idle) and len(idle) == len(wanted)
        return "; ".join(filter(None, [waits, f"nobody consumes {', '.join(idle)}" if idle else ""]))


def show_batch(batch: uuid.UUID, settings: Settings) -> None:
    """`otzyv status BATCH`. Raises InputFileError for a batch of which nothing has been stored."""
    here = runtime.build(settings)
    with here.database.transaction() as cursor:
        state = batches.progress(cursor, str(batch), here.taxonomy_id)
    if state is None:
        raise InputFileError(
            f"batch {batch}: expected a batch that has begun to arrive, found none; `otzyv ingest` has to run"
        )
    _show(state, here.database)


def _show(state: BatchProgress, database: Database) -> None:
    """How far a batch has come, and why some of it was rejected."""
    total = f" of {state.messages:,}" if state.messages is not None else ", more to come"
    rows = (
        ("messages stored", f"{state.messages_stored:,}{total}"),
        ("reviews received", f"{state.received:,}"),
        ("  settled (labelled, needs_review or failed)", f"{state.settled:,}"),
        *((f"  waiting for {stage}", f"{count:,}") for stage, count in state.waiting.items()),
        ("  failed in a stage", f"{state.failed:,}"),
        ("rejected (broke the contract)", f"{state.rejected:,}"),
    )
    title = f"batch {state.batch_id}  {state.name}"
    out.print(table(("what", "count"), rows, title=title, show_header=False, pad_edge=True))
    with database.transaction() as cursor:
        reasons = failures.reasons(cursor, str(state.batch_id), 10)
    for reason, example, count in reasons:
        out.print(f"  rejected {count:,}: {reason} (for example {example})")
