"""The breaker: a worker whose batches fail one after another stops consuming, so that its queues keep their messages.

A bad deployment fails every batch. Without a breaker it would turn a whole queue into failures and dead letters.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from multiprocessing.sharedctypes import RawArray
from typing import Any, ClassVar, Final

import structlog
from billiard.exceptions import WorkerLostError
from celery import bootsteps
from celery.worker.request import Request

from shared.settings import settings
from workers.rabbitmq import topology

log = structlog.get_logger()

CLOSED, OPEN, STOPPED = 0, 1, 2
LOOK_EVERY_S: Final = 0.2
LONGEST_WAIT_S: Final = 10.0


class Breaker:
    """Counts failures in a row for each queue, in memory that a worker shares with its forked children.

    Without a lock: a child can be killed while it holds one. A count lost to a race delays the opening by one.
    """

    def __init__(self, queues: Iterable[str]) -> None:
        self._numbers = {queue: number for number, queue in enumerate(queues)}
        self._failures = RawArray("i", len(self._numbers))
        self._states = RawArray("b", len(self._numbers))

    def succeeded(self, queue: str) -> None:
        """A batch was done: what failed before it was not everything."""
        self._failures[self._numbers[queue]] = 0

    def failed(self, queue: str, most: int) -> bool:
        """One more batch failed. True if that makes `most` in a row, or the breaker is open already; 0 is never."""
        number = self._numbers[queue]
        self._failures[number] += 1
        if most and self._failures[number] >= most and self._states[number] == CLOSED:
            self._states[number] = OPEN
        return self.is_open(queue)

    def is_open(self, queue: str) -> bool:
        """Whether batches of a queue are to be left in it."""
        return bool(self._states[self._numbers[queue]] != CLOSED)

    def open_queues(self) -> list[str]:
        """Queues that this worker no longer works on."""
        return [queue for queue in self._numbers if self.is_open(queue)]

    def waiting_to_stop(self) -> list[str]:
        """Queues that are open and still consumed."""
        return [queue for queue, number in self._numbers.items() if self._states[number] == OPEN]

    def stopped(self, queue: str) -> None:
        """Nothing is consumed from a queue any more."""
        self._states[self._numbers[queue]] = STOPPED

    def wait_until_stopped(self, queue: str) -> None:
        """Wait until nothing more is consumed: a message given back earlier would come again at once, and count."""
        until = time.monotonic() + LONGEST_WAIT_S
        while self._states[self._numbers[queue]] == OPEN and time.monotonic() < until:
            time.sleep(LOOK_EVERY_S / 4)


breaker = Breaker(line.queue for line in topology.ALL_LINES)


class Watched(Request):  # type: ignore[misc]  # Celery has no types
    """A batch's message in a worker's main process, which alone notices that a child has died over it."""

    def on_failure(self, exc_info: Any, *rest: Any, **named: Any) -> Any:
        """A child that died counts as a batch that failed; whoever is told to stop dies for another reason."""
        cause = getattr(exc_info.exception, "exc", exc_info.exception)
        stopping = self._already_cancelled or self._already_revoked
        died = isinstance(cause, (WorkerLostError, SystemExit)) and not stopping
        # Once for each message: the same one comes again at once, and is halved.
        if died and not self.delivery_info.get("redelivered"):
            routing_key = str(self.delivery_info.get("routing_key"))
            queue = topology.queue_of(self.task.name, routing_key, settings())
            breaker.failed(queue, settings().poison_streak)
        return super().on_failure(exc_info, *rest, **named)


class StopConsuming(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """The part of it in a worker's main process, which alone holds the consumers.

    `consumer` is the process's, once there is one. A lost connection ends it; Celery then makes another.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)
    consumer: ClassVar[Any] = None

    def __init__(self, consumer: Any, **_options: object) -> None:
        super().__init__(consumer)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        """Look for breakers that have opened, again and again."""
        StopConsuming.consumer = consumer
        self._timer = consumer.timer.call_repeatedly(LOOK_EVERY_S, self._look, (consumer,))

    def stop(self, _consumer: Any) -> None:
        """Look no more, until the connection is back."""
        StopConsuming.consumer = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, consumer: Any) -> None:
        for queue in breaker.waiting_to_stop():
            consumer.cancel_task_queue(queue)
            breaker.stopped(queue)
            log.error("breaker.stopped_consuming", queue=queue)
