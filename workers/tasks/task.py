"""The base of every task: a message whose task fails is tried again after a pause, or goes to the dead letters.

* an error that may pass (RetryableError): the same message again after a growing pause; after a set number of tries it
  goes to the dead letters
* a wrong set-up (ConfigurationError), or no room in the next queue (QueueFull): the same again, with pauses up to a
  minute, until a person has mended it or consumers have caught up
* RabbitMQ has blocked publishing, so that nothing can be sent: the message is done with, and the sweep sends another
* any other error, out of memory, too slow (soft time limit), or given out again and again because whoever has it dies:
  the message goes to the dead letters
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import celery
import msgspec
import structlog
from celery.exceptions import Reject, SoftTimeLimitExceeded

from shared.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    OtzyvError,
    PublishingBlocked,
    QueueFull,
    RetryableError,
)
from shared.runtime import runtime
from shared.runtime.per_process import PerProcess
from shared.settings import settings
from shared.store import Database
from shared.store.processes.waits import Waiting
from workers.monitoring import metrics
from workers.rabbitmq import topology
from workers.rabbitmq.backoff import pause_s

log = structlog.get_logger()

MOST_LOSSES: Final = 4
"""Deliveries in vain after which a message is given up; RabbitMQ gives up after five."""


class NeverFinished(Exception):
    """A message comes again and again: most likely it kills whoever works on it."""


class Work(Protocol):
    """What a message asks for."""

    @property
    def args(self) -> tuple[Any, ...]:
        """It as the arguments of a message."""
        ...

    @property
    def review_ids(self) -> Sequence[int]:
        """The reviews that it is about."""
        ...


class MessageArguments(msgspec.Struct, frozen=True):
    """Implements `Work` for a task that is about no reviews of its own."""

    args: tuple[Any, ...]
    review_ids: Sequence[int] = ()


_DATABASES: Final = PerProcess(lambda _: runtime.open_database(settings(), "otzyv waits"))

W = TypeVar("W", bound=Work)


class Task(celery.Task, Generic[W]):  # type: ignore[misc]  # Celery has no types
    """A task. Bodies only do the work; see the module for what failing means."""

    abstract = True
    max_retries = None

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

    @property
    def losses(self) -> int:
        """How often RabbitMQ has given out the message at hand in vain."""
        return int((self.request.headers or {}).get("x-delivery-count") or 0)

    def __call__(self, *args: object) -> None:
        """Run the body; every way of failing ends here."""
        try:
            self.check_losses(MOST_LOSSES)
            self.run(*args)
            self.end_wait(cast("W", MessageArguments(args)))
        except Exception as error:  # noqa: BLE001  nothing may be lost
            self.failed(error, cast("W", MessageArguments(args)))

    @property
    def wait_key(self) -> str:
        """What the wait of the message at hand is known by through all its tries."""
        return f"task {self.request.id}"

    def waiting(self, work: W) -> Waiting:
        """Its wait, which people see."""
        try:
            database = runtime.here().database
        except OtzyvError:
            # What stands in the way may be this process's own set-up.
            database = _DATABASES.get(0)
        return Waiting(database, self.subject(work), self.request.hostname or "", self.wait_key)

    def subject(self, _work: W) -> str:
        """What people call that which is tried."""
        return f"queue {self.queue_name}"

    def note_wait(self, error: OtzyvError, work: W, pause_s: float) -> None:
        """It is tried again after a pause. While the database is away nobody could note that."""
        if not isinstance(error, DatabaseUnavailable):
            self.waiting(work).again(error, pause_s)

    def end_wait(self, work: W) -> None:
        """What was tried again is done, or given up."""
        if self.request.retries:
            self.waiting(work).over(certainly=True)

    def check_losses(self, most: int) -> None:
        """Raises NeverFinished for a message that RabbitMQ has given out in vain so often."""
        if self.losses >= most:
            raise NeverFinished(f"given out {self.losses} times; whoever had it died, or lost RabbitMQ")

    def failed(self, error: Exception, work: W) -> None:
        """What follows from an error that stood in the way of some work."""
        if isinstance(error, PublishingBlocked):
            self.keep_unsent(error, work)
        elif isinstance(error, RetryableError) and not isinstance(error, QueueFull):
            if self.request.retries + 1 >= settings().task_attempts:
                # The surroundings failed: reviews keep their queue position, and the sweep sends them again.
                log.error("task.put_aside", task=self.name, reviews=len(work.review_ids), error=named(error))
                metrics.TASK_DEAD.add(queue=self.queue_name)
                self.end_wait(work)
                raise Reject(named(error), requeue=False)
            self.try_again(error, work)
        elif isinstance(error, ConfigurationError | QueueFull):
            self.try_again(error, work)
        else:
            if isinstance(error, SoftTimeLimitExceeded):
                Database.begin_anew()
            self.end_wait(work)
            self.give_up(error, work)

    def try_again(self, error: OtzyvError, work: W) -> None:
        """The same work once more, after a pause."""
        # Whole seconds: Celery's native delayed delivery refuses anything below one.
        seconds = math.ceil(pause_s(self.request.retries))
        log.warning(
            "task.retry",
            task=self.name,
            reviews=len(work.review_ids),
            attempt=self.request.retries + 1,
            pause_s=seconds,
            error=str(error),
        )
        metrics.TASK_RETRIES.add(queue=self.queue_name)
        self.note_wait(error, work, seconds)
        try:
            self.note_sent(work)
        except Exception as unnoted:  # noqa: BLE001  the work itself must not get lost over it
            log.info("task.place_not_kept", task=self.name, error=str(unnoted))
        try:
            # The queue by name: Celery's delayed delivery asks the task's route otherwise, which is the live lane's.
            raise self.retry(
                args=work.args,
                exc=error,
                countdown=seconds,
                queue=self.queue_name,
                headers=self.lasting_headers(),
            )
        except Reject as unsent:
            # Celery would drop the message into the dead letters because its copy could not be sent.
            self.keep_unsent(unsent.reason, work)

    def keep_unsent(self, error: BaseException, work: W) -> None:
        """What follows from work that is to go on, while nothing can be sent.

        The message goes back. But as long as RabbitMQ has blocked publishing, it would only come again at once, until
        it has come too often: then it is done with, so that consumers catch up, which is what ends a memory alarm. The
        store knows what is left to do, and the sweep sends it.
        """
        if not isinstance(error, PublishingBlocked):
            raise Reject(error, requeue=True) from error
        log.warning("task.left_to_sweep", task=self.name, reviews=len(work.review_ids), error=str(error))

    def note_sent(self, work: W) -> None:
        """Note in the store that a message about this work has just been sent.

        One that waits for its next try is in no queue: the sweep must not take it for lost, and send it too.
        """

    def lasting_headers(self) -> dict[str, bool]:
        """Headers that the next try has too. How often a message was given out says nothing of the next one."""
        return {}

    def give_up(self, error: Exception, work: W) -> None:
        """The work can never be done: its message goes to the dead letters."""
        log.error("task.failed", task=self.name, review_ids=list(work.review_ids)[:20], error=named(error))
        metrics.TASK_FAILURES.add(queue=self.queue_name)
        metrics.TASK_DEAD.add(queue=self.queue_name)
        self.note_failure(error, work)
        raise Reject(named(error), requeue=False)

    def note_failure(self, error: Exception, work: W) -> None:
        """Note in the store that this work is given up."""


def named(error: BaseException) -> str:
    """An error as people read it."""
    return str(error) if isinstance(error, OtzyvError) else f"{type(error).__name__}: {error}"
