"""The base of every task over a batch of reviews: one that cannot be done is halved; retries are in `task`.

Beyond what `task` says of errors that may pass:

* any other error, or out of memory, with several reviews: both halves again, so that one bad review ends up alone
* the same with one review: a row in `failures` with the reason, and the message goes to the dead letters
* too slow (soft time limit), or given out again and again because whoever has it dies: like an error that cannot pass
* a number of batches in a row that failed so or killed their process, and none done between them: the breaker opens,
  this worker stops consuming the queue, and the batches stay in it
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import msgspec
import structlog
from celery.exceptions import Reject

from shared.errors import OtzyvError, RetryableError
from shared.settings import settings
from workers.monitoring import metrics
from workers.process.breaker import Watched, breaker
from workers.rabbitmq import connection, topology
from workers.tasks.task import MOST_LOSSES, Task, named

log = structlog.get_logger()

PART: Final = "otzyv_part"
"""Header of a batch that is a part of one that failed."""
MOST_LOSSES_OF_A_BATCH: Final = 2
"""Deliveries in vain after which a batch is halved."""


class Batch(msgspec.Struct, frozen=True):
    """Implements `Work` for reviews that were stored for one taxonomy. `stage` is empty where it is none's.

    `revisions` are the texts of the reviews that were read, as far as they were.
    """

    review_ids: Sequence[int]
    taxonomy_id: int
    stage: str = ""
    revisions: Mapping[int, int] = {}

    @property
    def args(self) -> tuple[object, ...]:
        """It as the arguments of a message: what every version has sent and reads."""
        return list(self.review_ids), self.taxonomy_id

    def part(self, review_ids: Sequence[int]) -> Batch:
        """Some of it."""
        return msgspec.structs.replace(self, review_ids=review_ids)


class BatchFailed(Exception):
    """`error` stood in the way of a batch, or of the part of one that is left to do."""

    def __init__(self, batch: Batch, error: Exception) -> None:
        super().__init__(str(error))
        self.batch = batch
        self.error = error


@contextmanager
def blaming(batch: Batch, revisions: Mapping[int, int]) -> Iterator[None]:
    """Whatever fails inside has failed a batch of which these texts were read."""
    try:
        yield
    except Exception as error:
        raise BatchFailed(msgspec.structs.replace(batch, revisions=revisions), error) from error


class BatchTask(Task[Batch]):
    """A task over one batch. Its body gets a Batch; see the module for what failing means."""

    abstract = True
    Request = Watched
    typing = False  # what a body gets is not what a message has
    stage = ""

    def __call__(self, *args: object) -> None:
        """Run the body; every way of failing ends here."""
        if breaker.is_open(self.queue_name):
            self._leave_in_queue("the breaker is open")
        batch = Batch([], 0, self.stage)
        try:
            batch = Batch(*msgspec.convert(args, tuple[list[int], int], strict=False), self.stage)
            most = MOST_LOSSES_OF_A_BATCH if len(batch.review_ids) > 1 else MOST_LOSSES
            if self.losses >= most:
                with blaming(batch, self.revisions(batch)):
                    self.check_losses(most)
            self.run(batch)
            breaker.succeeded(self.queue_name)
            self.end_wait(batch)
        except BatchFailed as failed:
            self.failed(failed.error, failed.batch)
        except Exception as error:  # noqa: BLE001  nothing may be lost
            self.failed(error, batch)

    def lasting_headers(self) -> dict[str, bool]:
        return {PART: True} if self._is_part() else {}

    def _is_part(self) -> bool:
        return bool((self.request.headers or {}).get(PART))

    def give_up(self, error: Exception, work: Batch) -> None:
        """Halve a batch that cannot be done; a single review is given up."""
        # Parts are no news: bad reviews side by side reach the last halving together.
        if not self._is_part() and breaker.failed(self.queue_name, settings().poison_streak):
            log.error(
                "breaker.open", queue=self.queue_name, failures=settings().poison_streak, error=named(error)
            )
            self._leave_in_queue(named(error))
        if len(work.review_ids) > 1:
            self._halve(error, work)
        else:
            super().give_up(error, work)

    def note_failure(self, error: Exception, work: Batch) -> None:
        """A row in `failures` with the reason."""
        try:
            if work.revisions:
                self.record_failure(work, named(error), traceback_hash(error))
        except OtzyvError as broken:
            # The message still goes to the dead letters; only the row about it is missing.
            log.error("task.failure_not_recorded", task=self.name, error=str(broken))  # noqa: TRY400

    def _halve(self, error: Exception, batch: Batch) -> None:
        middle = len(batch.review_ids) // 2
        log.warning("task.split", task=self.name, reviews=len(batch.review_ids), error=named(error))
        metrics.TASK_SPLITS.add(queue=self.queue_name)
        line = topology.in_lane(topology.task_lines(settings())[self.name], self.lane)
        try:
            with connection.translated():
                for half in (batch.review_ids[:middle], batch.review_ids[middle:]):
                    self.apply_async(
                        args=batch.part(half).args,
                        headers={PART: True},
                        confirm_timeout=settings().broker_timeout_s,
                        **topology.route(line),
                    )
        except RetryableError as unsent:
            self.keep_unsent(unsent, batch)

    def _leave_in_queue(self, reason: str) -> NoReturn:
        """Give the batch back; this worker takes no more from the queue until it is started anew."""
        breaker.wait_until_stopped(self.queue_name)
        raise Reject(reason, requeue=True)

    def revisions(self, batch: Batch) -> Mapping[int, int]:
        """The texts of a batch whose body is not run."""
        raise NotImplementedError

    def record_failure(self, batch: Batch, reason: str, traceback_hash: str) -> None:
        """Note in the store that the texts of a batch that were read could not be processed."""
        raise NotImplementedError


def traceback_hash(error: BaseException) -> str:
    """Twelve hex digits that are equal for errors raised at the same place."""
    places: list[Any] = [(f.filename, f.lineno) for f in traceback.extract_tb(error.__traceback__)]
    return hashlib.sha256(repr((type(error).__name__, places)).encode()).hexdigest()[:12]
