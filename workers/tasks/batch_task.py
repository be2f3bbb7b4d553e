"""The one base task: what happens to a batch that fails, in one place for every task.

* an error that may pass (RetryableError): the same batch again after a growing pause; after a set number of tries
  the message goes to the dead letters, and its reviews keep their place in line for the sweep
* a wrong set-up (ConfigurationError), or no room in the next queue (QueueFull): the same batch again, with pauses up to
  a minute, until a person has mended it or consumers have caught up
* any other error, or out of memory, with several reviews: both halves again, so that one bad review ends up alone
* the same with one review: a row in `failures` with the reason, and the message goes to the dead letters
* too slow (soft time limit), or given out again and again because whoever has it dies: like an error that cannot pass
* a number of batches in a row that failed so or killed their process, and none done between them: the breaker opens,
  this worker stops consuming the queue, and the batches stay in it
"""

from __future__ import annotations

import hashlib
import math
import random
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from celery import Task
from celery.exceptions import Reject, Retry, SoftTimeLimitExceeded

from shared.errors import ConfigurationError, OtzyvError, QueueFull, RetryableError
from shared.settings import settings
from shared.store import Database
from workers.monitoring import metrics
from workers.process.breaker import Watched, breaker
from workers.rabbitmq import connection, topology

log = structlog.get_logger()

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
PART = "otzyv_part"
"""Header of a batch that is a part of one that failed."""
LOSSES_OF_A_BATCH = 2
LOSSES_OF_ONE = 4
"""Deliveries in vain after which a batch is halved, and a single review failed; RabbitMQ gives up after five."""


def pause_s(attempt: int, jitter: Callable[[], float] = random.random) -> float:
    """Seconds before try `attempt + 1`: doubling from 1 to 60, of which a random half is jitter.

    Exponential back-off with equal jitter (M. Brooker, "Exponential Backoff and Jitter", AWS, 2015).
    """
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0**attempt)
    return longest / 2 + longest / 2 * jitter()


class NeverFinished(Exception):
    """A message comes again and again: most likely it kills whoever works on it."""


class PartOfBatch(Exception):
    """A body has done its batch but for some reviews, which `error` stood in the way of."""

    def __init__(self, review_ids: Sequence[int], error: OtzyvError) -> None:
        super().__init__(str(error))
        self.review_ids = list(review_ids)
        self.error = error


class BatchTask(Task):  # type: ignore[misc]  # Celery has no types
    """A task over one batch of review ids. Bodies only do the work; see the module for what failing means."""

    abstract = True
    Request = Watched
    max_retries = None
    may_break = True
    """Whether failures in a row open the breaker."""

    @property
    def lane(self) -> topology.Lane:
        """The lane that the message at hand came by; what follows from it is sent on by the same."""
        return topology.lane_of(self._routing_key)

    @property
    def queue_name(self) -> str:
        """The queue that the message at hand came from."""
        return topology.queue_of(self.name, self._routing_key, settings())

    @property
    def _routing_key(self) -> str:
        return str((self.request.delivery_info or {}).get("routing_key"))

    def __call__(self, review_ids: Sequence[int] = (), *rest: object) -> None:
        """Run the body; every way of failing ends here. `rest` are arguments that every part of a batch keeps."""
        if self.may_break and breaker.is_open(self.queue_name):
            self._leave_in_queue("the breaker is open")
        try:
            try:
                self._check_losses(review_ids, rest)
                self.run(review_ids, *rest)
                breaker.succeeded(self.queue_name)
            except PartOfBatch as part:
                review_ids = part.review_ids
                raise part.error from part
        except Retry:
            raise
        except (ConfigurationError, QueueFull) as error:
            self._try_again(review_ids, rest, error)
        except RetryableError as error:
            if self.request.retries + 1 >= settings().task_attempts:
                self._put_aside(review_ids, error)
            self._try_again(review_ids, rest, error)
        except (MemoryError, SoftTimeLimitExceeded, Exception) as error:  # noqa: BLE001  nothing may be lost
            if isinstance(error, SoftTimeLimitExceeded):
                Database.begin_anew()
            self._isolate(review_ids, rest, error)

    def _try_again(self, review_ids: Sequence[int], rest: tuple[object, ...], error: OtzyvError) -> None:
        # Whole seconds: Celery's native delayed delivery refuses anything below one.
        seconds = math.ceil(pause_s(self.request.retries))
        log.warning(
            "task.retry",
            task=self.name,
            reviews=len(review_ids),
            attempt=self.request.retries + 1,
            pause_s=seconds,
            error=str(error),
        )
        metrics.TASK_RETRIES.add(queue=self.queue_name)
        self._keep_place(review_ids, rest)
        try:
            # Without the others of its headers: how often this message was given out says nothing of the next one.
            headers = {PART: True} if self._is_part() else {}
            raise self.retry(args=(review_ids, *rest), exc=error, countdown=seconds, headers=headers)
        except Reject as unsent:
            # Celery would drop the batch into the dead letters because its copy could not be sent.
            raise Reject(unsent.reason, requeue=True) from error

    def _keep_place(self, review_ids: Sequence[int], rest: tuple[object, ...]) -> None:
        """A batch that waits for its next try is in no queue: the sweep must not take it for lost, and send it too."""
        try:
            self.keep_place(review_ids, *rest)
        except Exception as error:  # noqa: BLE001  the batch itself must not get lost over it
            log.info("task.place_not_kept", task=self.name, error=str(error))

    def keep_place(self, review_ids: Sequence[int], *rest: object) -> None:
        """Note in the store that these reviews' message has just been sent."""

    def _isolate(self, review_ids: Sequence[int], rest: tuple[object, ...], error: BaseException) -> None:
        # Parts are no news: bad reviews side by side reach the last halving together.
        if (
            self.may_break
            and not self._is_part()
            and breaker.failed(self.queue_name, settings().poison_streak)
        ):
            log.error(
                "breaker.open", queue=self.queue_name, failures=settings().poison_streak, error=_name(error)
            )
            self._leave_in_queue(_name(error))
        if len(review_ids) <= 1:
            self._give_up(review_ids, error)
        middle = len(review_ids) // 2
        log.warning("task.split", task=self.name, reviews=len(review_ids), error=_name(error))
        metrics.TASK_SPLITS.add(queue=self.queue_name)
        line = topology.in_lane(topology.task_lines(settings())[self.name], self.lane)
        try:
            with connection.translated():
                for half in (review_ids[:middle], review_ids[middle:]):
                    self.apply_async(args=(half, *rest), headers={PART: True}, **topology.route(line))
        except RetryableError as unsent:
            raise Reject(str(unsent), requeue=True) from error

    def _is_part(self) -> bool:
        return bool((self.request.headers or {}).get(PART))

    def _check_losses(self, review_ids: Sequence[int], rest: tuple[object, ...]) -> None:
        """Raises NeverFinished for a message that RabbitMQ has given out in vain too often."""
        losses = int((self.request.headers or {}).get("x-delivery-count") or 0)
        if losses >= (LOSSES_OF_A_BATCH if len(review_ids) > 1 else LOSSES_OF_ONE):
            self.look_at(review_ids, *rest)
            raise NeverFinished(f"given out {losses} times; whoever had it died, or lost RabbitMQ")

    def look_at(self, review_ids: Sequence[int], *rest: object) -> None:
        """Read what `record_failure` has to know of reviews whose body is not run."""

    def _leave_in_queue(self, reason: str) -> None:
        """Give the batch back; this worker takes no more from the queue until it is started anew."""
        breaker.wait_until_stopped(self.queue_name)
        raise Reject(reason, requeue=True)

    def _put_aside(self, review_ids: Sequence[int], error: BaseException) -> None:
        """The surroundings failed, not the reviews: they keep their place in line, and the sweep sends them again."""
        log.error("task.put_aside", task=self.name, reviews=len(review_ids), error=_name(error))
        metrics.TASK_DEAD.add(queue=self.queue_name)
        raise Reject(_name(error), requeue=False)

    def _give_up(self, review_ids: Sequence[int], error: BaseException) -> None:
        log.error("task.failed", task=self.name, review_ids=list(review_ids)[:20], error=_name(error))
        metrics.TASK_FAILURES.add(queue=self.queue_name)
        metrics.TASK_DEAD.add(queue=self.queue_name)
        try:
            self.record_failure(review_ids, _name(error), traceback_hash(error))
        except OtzyvError as broken:
            # The message still goes to the dead letters; only the row about it is missing.
            log.error("task.failure_not_recorded", task=self.name, error=str(broken))  # noqa: TRY400
        raise Reject(_name(error), requeue=False)

    def record_failure(self, review_ids: Sequence[int], reason: str, traceback_hash: str) -> None:
        """Note in the store that these reviews could not be processed."""
        raise NotImplementedError


def _name(error: BaseException) -> str:
    if isinstance(error, OtzyvError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def traceback_hash(error: BaseException) -> str:
    """Twelve hex digits that are equal for errors raised at the same place."""
    places: list[Any] = [(f.filename, f.lineno) for f in traceback.extract_tb(error.__traceback__)]
    return hashlib.sha256(repr((type(error).__name__, places)).encode()).hexdigest()[:12]
