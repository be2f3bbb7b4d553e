"""What producers publish, taken by the main process of a CPU worker and handed to its children as it came.

Raw messages are gathered until there are enough for a transaction, or the first has waited long enough, and go to a
child as one task that no broker has ever seen: the argument is in memory alone, events and logs tell only how many
messages it has. RabbitMQ keeps each message until the child has stored what is in it and sent on what follows. Then it
is acknowledged, here. Where a child dies or does not end, its messages go to another: stored without being judged
first, then by halves, until the one at fault is alone, and goes to the rejected ones.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar, Final, NamedTuple

import structlog
from celery import bootsteps
from celery.exceptions import Reject
from celery.worker.request import Request
from kombu import Consumer
from kombu.message import Message as Delivery

from shared.settings import Settings, settings
from workers.process.breaker import breaker
from workers.rabbitmq import topology
from workers.rabbitmq.topology import LANES, Lane

log = structlog.get_logger()

MARK: Final = "otzyv_taken"
"""Header of such a task."""
PART_BYTES: Final = 192 * 1024
"""Bytes of messages in one task: some 1,000 reviews of usual length."""
SMALL_PART_BYTES: Final = 48 * 1024
"""The same of the bulk lane while live messages come, which wait for the child that has it."""
LIVE_S: Final = 1.0
"""So long after one they count as coming."""
PART_MESSAGES: Final = 500
MOST_LOSSES: Final = 2
"""Children that a message alone may take with it."""
LOSS_PAUSE_S: Final = 1.0


class Delivered(NamedTuple):
    """A message as a child gets it."""

    body: bytes
    headers: Mapping[str, Any]
    content_type: str | None
    content_encoding: str | None
    arrived_at: datetime


class Setback(NamedTuple):
    """Why messages are not taken in, and after how many seconds they may be; None where they may be the reason."""

    pause_s: float | None
    reason: str
    too_long: bool = False  # the time of a task has passed over them


class Part:
    """Messages in the hands of a child, in the form in which Celery knows the message of a task."""

    content_type = content_encoding = None
    properties: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        lane: Lane,
        taken: Sequence[tuple[Delivery, datetime]],
        *,
        tries: int = 0,
        losses: int = 0,
        judge: bool = True,
    ) -> None:
        self.lane, self.taken, self.tries, self.losses, self.judge = lane, taken, tries, losses, judge
        self.error: BaseException | None = None
        number = str(uuid.uuid4())
        self.headers = {
            "id": number,
            "root_id": number,
            "task": topology.TAKE_IN,
            "lang": "py",
            "argsrepr": f"({len(taken)} messages)",
            "kwargsrepr": "{}",
            MARK: True,
        }
        line = topology.in_lane(topology.INCOMING, lane)
        self.delivery_info = {"exchange": line.exchange.name, "routing_key": line.routing_key}
        delivered = [
            Delivered(
                bytes(one.body or b""),  # the driver makes an empty body an empty string
                one.headers,
                one.content_type,
                one.content_encoding,
                arrived_at,
            )
            for one, arrived_at in taken
        ]
        again = tries > 0 or not judge or any(one.delivery_info.get("redelivered") for one, _ in taken)
        self.payload: Any = ((lane, tries, judge, again, delivered), {}, {})
        self.body: Any = self.payload

    def again(self, why: Setback) -> list[Part]:
        """What is tried after it has failed: all of it after a pause; after a loss, or too long a time, in another way.

        Nothing where it is a single message that whoever had it died over.
        """
        if why.pause_s is not None:
            return [
                Part(
                    self.lane,
                    some,
                    tries=self.tries + 1,
                    losses=self.losses,
                    judge=self.judge and not why.too_long,
                )
                for some in (self._halves() if why.too_long else [self.taken])
            ]
        if self.judge:
            return [Part(self.lane, self.taken, judge=False)]
        if len(self.taken) > 1:
            return [Part(self.lane, half, judge=False) for half in self._halves()]
        if self.losses + 1 < MOST_LOSSES:
            return [Part(self.lane, self.taken, losses=self.losses + 1, judge=False)]
        return []

    def _halves(self) -> list[Sequence[tuple[Delivery, datetime]]]:
        middle = len(self.taken) // 2
        return [half for half in (self.taken[:middle], self.taken[middle:]) if half]


class TakingRequest(Request):  # type: ignore[misc]  # Celery has no types
    """The task in the main process: notes why it has failed, which Celery tells nobody who gets the message back."""

    def on_failure(self, exc_info: Any, *rest: Any, **named: Any) -> Any:
        """Note the cause."""
        self.message.error = getattr(exc_info.exception, "exc", exc_info.exception)
        return super().on_failure(exc_info, *rest, **named)

    def info(self, safe: bool = True) -> Any:  # noqa: ARG002  what asks for all gets no more
        """What Flower and `celery inspect` are shown: how many messages it has, and nothing of them."""
        return super().info(safe=True)

    def _announce_revoked(self, reason: str, *rest: Any) -> None:
        """Somebody has told it to end: Celery acknowledges it then, as if it were done."""
        self.message.error = RuntimeError(reason)
        super()._announce_revoked(reason, *rest)


class _Held:
    """What has come by a lane and is with no child, and how much is."""

    def __init__(self) -> None:
        self.fresh: deque[tuple[Delivery, datetime]] = deque()
        self.again: deque[Part] = deque()
        self.bytes = self.out = 0
        self.since = self.not_before = 0.0
        self.is_looking = False

    def add(self, delivery: Delivery, now: datetime) -> None:
        if not self.fresh:
            self.since = time.monotonic()
        self.fresh.append((delivery, now))
        self.bytes += len(delivery.body or b"")

    def is_full(self, part_bytes: int) -> bool:
        return self.bytes >= part_bytes or len(self.fresh) >= PART_MESSAGES

    def part(self, lane: Lane, part_bytes: int) -> Part:
        """The first of it, as much as goes into one task, and at least a message."""
        if self.again:
            return self.again.popleft()
        taken: list[tuple[Delivery, datetime]] = []
        size = 0
        while self.fresh and len(taken) < PART_MESSAGES:
            more = len(self.fresh[0][0].body or b"")
            if taken and size + more > part_bytes * 3 // 2:
                break
            taken.append(self.fresh.popleft())
            size += more
        self.bytes -= size
        return Part(lane, taken)


class Hands:
    """Takes messages on one connection of a worker's, from its opening to its end."""

    def __init__(self, worker: Any, chosen: Settings) -> None:
        self._worker = worker
        self._chosen = chosen
        self._live_until = 0.0
        self._lanes = {lane: _Held() for lane in LANES}
        self._consumers: list[Consumer] = []
        self._is_over, self._has_begun = False, False
        self.queues: list[str] = []
        self._newest = datetime.now(UTC)

    def open(self) -> None:
        """Consume both lanes, each on a channel of its own; neither once the breaker is open."""
        if breaker.is_open(topology.INCOMING.queue):
            return
        processes = self._worker.pool.num_processes
        for lane in LANES:
            most = self._chosen.ingest_prefetch_messages
            if lane == "bulk":
                most = self._chosen.ingest_bulk_messages * (processes + 1)
            queue = topology.queue(topology.in_lane(topology.INCOMING, lane))
            channel = self._worker.connection.channel()
            channel.auto_decode = False  # bodies stay bytes, whatever encoding a producer claims
            channel.basic_qos(0, most, a_global=False)
            receive = partial(self._receive, lane)
            consumer = Consumer(
                channel,
                [queue],
                on_message=receive,
                # kombu's own errors (a compressed body) are judged like any other message.
                on_decode_error=lambda delivery, _error, receive=receive: receive(delivery),
            )
            consumer.consume()
            self._consumers.append(consumer)
            self.queues.append(queue.name)
        # Celery's pool takes tasks only once the event loop runs, which is what fires timers.
        self._worker.timer.call_after(0.0, self.begin)
        log.info("ingest.consuming", queue=topology.INCOMING.queue)

    def begin(self) -> None:
        """Hand out what has come."""
        self._has_begun = True
        self._look()

    def cancel(self) -> None:
        """Take no more; what is with the children is acknowledged when it is done."""
        self.queues = []
        for consumer in self._consumers:
            with suppress(*self._worker.connection_errors, *self._worker.channel_errors):
                consumer.cancel()
        self._consumers = []

    def end(self) -> None:
        """The connection is gone: what was held comes again, by another."""
        self._is_over = True

    def _receive(self, lane: Lane, delivery: Delivery) -> None:
        held = self._lanes[lane]
        # Never earlier than the one before: which of two texts is the newer one goes by it.
        self._newest = max(self._newest, datetime.now(UTC))
        held.add(delivery, self._newest)
        if lane == "live":
            self._live_until = time.monotonic() + LIVE_S
        if held.is_full(self._limits(lane)[1]):
            self._look()
        else:
            self._look_in(held, self._chosen.linger_ms / 1000)

    def _look_in(self, held: _Held, seconds: float) -> None:
        if held.is_looking:
            return
        held.is_looking = True

        def look() -> None:
            held.is_looking = False
            self._look()

        self._worker.timer.call_after(seconds, look)

    def _look(self) -> None:
        """Hand out what is due, live before bulk, as long as children have not too much of that lane already."""
        if self._is_over or not self._has_begun or not self._consumers:
            return
        now, linger_s = time.monotonic(), self._chosen.linger_ms / 1000
        for lane in LANES:
            held, (most_out, part_bytes) = self._lanes[lane], self._limits(lane)
            while held.out < most_out and (held.again or held.fresh):
                due_at = held.not_before
                if not held.again and not held.is_full(part_bytes):
                    due_at = max(due_at, held.since + linger_s)
                if due_at > now:
                    self._look_in(held, due_at - now)
                    break
                part = held.part(lane, part_bytes)
                held.out, held.since = held.out + 1, now
                strategy = self._worker.strategies[topology.TAKE_IN]
                strategy(part, None, partial(self._acknowledged, part), partial(self._rejected, part), [])

    def _limits(self, lane: Lane) -> tuple[int, int]:
        """How many parts children may have at a time, and of how many bytes.

        One more than there are children, so that none has to wait for its next. While live messages come, bulk has
        none ahead of time, and small ones: Celery keeps the order in which tasks are handed out.
        """
        processes = self._worker.pool.num_processes
        if lane == "bulk" and time.monotonic() < self._live_until:
            return processes, SMALL_PART_BYTES
        return processes + 1, PART_BYTES

    def _acknowledged(self, part: Part, logger: Any, errors: tuple[type[Exception], ...]) -> None:
        """A child has done it; or somebody has revoked it, which Celery tells in the same way."""
        if part.error is not None:
            self._rejected(part, logger, errors, requeue=True)
            return
        self._lanes[part.lane].out -= 1
        self._lanes[part.lane].not_before = 0.0
        breaker.succeeded(topology.INCOMING.queue)
        if self._is_over:
            return
        for delivery, _ in part.taken:
            delivery.ack_log_error(logger, errors)
        self._look()

    def _rejected(self, part: Part, logger: Any, errors: tuple[type[Exception], ...], requeue: bool) -> None:  # noqa: ARG002  Celery's name
        """It is to be tried again."""
        held, why = self._lanes[part.lane], setback_of(part.error)
        held.out -= 1
        if self._is_over:
            return
        if not self._consumers:
            # Told to stop, or the breaker is open: it goes back.
            for delivery, _ in part.taken:
                delivery.reject_log_error(logger, errors, requeue=True)
            return
        parts = part.again(why)
        if why.pause_s is None:
            log.error(
                "ingest.lost", lane=part.lane, messages=len(part.taken), judged=part.judge, error=why.reason
            )
        if not parts:
            self.give_up(part, why.reason, logger, errors)
        held.again.extendleft(reversed(parts))
        held.not_before = time.monotonic() + (LOSS_PAUSE_S if why.pause_s is None else why.pause_s)
        self._look()

    def give_up(self, part: Part, reason: str, logger: Any, errors: tuple[type[Exception], ...]) -> None:
        """A message that children die over goes to the rejected ones; where several in a row do, all stay in the queue.

        Then it is most likely no message's fault: nothing more is taken until the worker is started anew.
        """
        queue, streak = topology.INCOMING.queue, self._chosen.poison_streak
        is_open = breaker.failed(queue, streak)
        for delivery, _ in part.taken:
            log.error("ingest.given_up", lane=part.lane, bytes=len(delivery.body or b""), error=reason)
            delivery.reject_log_error(logger, errors, requeue=is_open)
        if is_open:
            log.error("breaker.open", queue=queue, failures=streak, error=reason)
            self.cancel()
            breaker.stopped(queue)
            self.give_back(logger, errors)
            log.error("breaker.stopped_consuming", queue=queue)

    def give_back(self, logger: Any, errors: tuple[type[Exception], ...]) -> None:
        """What is held and with no child goes back to its queue."""
        for held in self._lanes.values():
            again = (one for part in held.again for one in part.taken)
            for delivery, _ in (*again, *held.fresh):
                delivery.reject_log_error(logger, errors, requeue=True)
            held.again.clear()
            held.fresh.clear()
            held.bytes = 0


def setback_of(error: BaseException | None) -> Setback:
    """What a child's end says: its own word, or that it was lost."""
    if isinstance(error, Reject) and isinstance(error.reason, tuple):
        return Setback(*error.reason)
    return Setback(None, f"{type(error).__name__}: {error}")


class TakeIn(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """The part of it in the life of Celery's consumer, which begins anew with every connection."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    hands: ClassVar[Hands | None] = None

    def include_if(self, consumer: Any) -> bool:
        """Where a worker judges by the stages that need no GPU, and the settings let it."""
        return settings().judge_first and topology.CPU_UPKEEP.queue in consumer.app.amqp.queues.consume_from

    def start(self, consumer: Any) -> None:
        """Begin to consume. What children have of an earlier connection comes again, by RabbitMQ."""
        if TakeIn.hands is not None:
            TakeIn.hands.end()
        TakeIn.hands = Hands(consumer, settings())
        TakeIn.hands.open()

    def stop(self, _consumer: Any) -> None:
        """Take no more."""
        if TakeIn.hands is not None:
            TakeIn.hands.cancel()

    @classmethod
    def queues(cls) -> list[str]:
        """The queues of incoming reviews that this process consumes now."""
        return [] if cls.hands is None else cls.hands.queues
