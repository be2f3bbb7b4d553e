"""Incoming messages become stored reviews and first tasks. A plain kombu consumer; Celery only sends.

Messages are gathered until there are enough reviews, or the first has waited long enough, or as many messages
are held as may be. Then: one transaction, the first tasks published and confirmed, and only then the messages
acknowledged. A crash in between repeats work and changes nothing.
"""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from types import FrameType

import structlog
from kombu import Connection, Consumer, Producer
from kombu.message import Message as Delivery

from shared import reviews
from shared.errors import ConfigurationError, InvalidReview, PoisonError, RetryableError
from shared.intake import take_in
from shared.reviews import Message, Rejected
from workers import broker, crash_points, labelling, prediction, topology
from workers.batch_task import pause_s
from workers.runtime import Runtime

log = structlog.get_logger()

LOOK_UP_S = 0.5
CONTENT_TYPES = ("application/json", "application/octet-stream", "", None)


class _Stopped(Exception):
    """Told to stop while waiting: what is held goes back to the queue."""


class Gathered:
    """The messages held at the moment, and since when."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.messages: list[Message] = []
        self.reviews = 0
        self.since = 0.0

    def add(self, delivery: Delivery, message: Message, now: float) -> None:
        """Hold one more message."""
        if not self.deliveries:
            self.since = now
        self.deliveries.append(delivery)
        self.messages.append(message)
        self.reviews += len(message.reviews) + len(message.rejected)


class Ingest:
    """Consumes `reviews.incoming` until it is told to stop; then stores what it holds and returns."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.settings
        self._gathered = Gathered()
        self._stopping = False
        self._failures = 0  # since messages were last stored and acknowledged

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Finish what is held and return; a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Consume until stopped. A lost broker or database is waited for; nothing is acknowledged meanwhile."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        while not self._stopping:
            self._gathered = Gathered()
            try:
                with broker.translated(), broker.connection(self._settings) as connection:
                    topology.declare(connection)
                    log.info("ingest.consuming", queue=topology.INCOMING.queue)
                    self._consume(connection)
            except RetryableError as error:
                seconds = pause_s(self._failures)
                self._failures += 1
                log.warning("ingest.reconnect", pause_s=round(seconds, 1), error=str(error))
                self._wait(seconds)
            except _Stopped:
                break
        log.info("ingest.stopped")

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            time.sleep(min(0.2, max(0.0, until - time.monotonic())))

    def _consume(self, connection: Connection) -> None:
        with connection.channel() as channel:
            channel.auto_decode = False  # bodies stay bytes, whatever encoding a producer claims
            channel.basic_qos(0, self._settings.ingest_prefetch_messages, a_global=False)
            consumer = Consumer(
                channel,
                [topology.queue(topology.INCOMING)],
                on_message=self._receive,
                # kombu's own errors (a compressed body) are judged like any other message.
                on_decode_error=lambda delivery, _error: self._receive(delivery),
                auto_declare=False,
            )
            with consumer:
                while not self._stopping:
                    self._drain(connection)
                    if self._is_due():
                        self._flush(connection)
                consumer.cancel()
                self._flush(connection)

    def _drain(self, connection: Connection) -> None:
        held = bool(self._gathered.deliveries)
        age = time.monotonic() - self._gathered.since
        # Never long: a signal only sets a flag, and the wait goes on after it (PEP 475).
        timeout = min(LOOK_UP_S, max(0.001, self._settings.linger_ms / 1000 - age)) if held else LOOK_UP_S
        try:
            connection.drain_events(timeout=timeout)
        except TimeoutError:
            connection.heartbeat_check()

    def _is_due(self) -> bool:
        held = self._gathered
        return bool(held.deliveries) and (
            held.reviews >= self._settings.batch_rows
            or len(held.deliveries) >= self._settings.ingest_prefetch_messages
            or time.monotonic() - held.since >= self._settings.linger_ms / 1000
        )

    def _receive(self, delivery: Delivery) -> None:
        self._gathered.add(delivery, self._decode(delivery), time.monotonic())

    def _decode(self, delivery: Delivery) -> Message:
        """The reviews of a delivery. A message that cannot be read counts as one rejected review."""
        body = bytes(delivery.body)
        try:
            self._check_envelope(delivery, len(body))
            return reviews.decode(body, max_text_chars=self._settings.max_text_chars)
        except InvalidReview as error:
            return Message([], [Rejected(str(error), body)])
        except Exception as error:  # noqa: BLE001  one message must never stop the stream
            return Message(
                [], [Rejected(f"message: could not be read: {type(error).__name__}: {error}", body)]
            )

    def _check_envelope(self, delivery: Delivery, size: int) -> None:
        if delivery.headers.get("compression"):
            raise InvalidReview("message: expected an uncompressed body, found a `compression` header")
        if delivery.content_type not in CONTENT_TYPES:
            raise InvalidReview(
                f"message: expected content type application/json, found {str(delivery.content_type)[:100]!r}"
            )
        if size > self._settings.max_message_bytes:
            raise InvalidReview(
                f"message: expected at most {self._settings.max_message_bytes} bytes, found {size}; "
                "send smaller messages or raise OTZYV_MAX_MESSAGE_BYTES"
            )

    def _flush(self, connection: Connection) -> None:
        held, self._gathered = self._gathered, Gathered()
        if not held.deliveries:
            return
        sent, rejected = self._store(connection, held.messages)
        self._set_aside(connection, rejected)
        crash_points.at("ingest.sent")
        held.deliveries[-1].ack(multiple=True)
        self._failures = 0
        log.info(
            "ingest.stored",
            messages=len(held.deliveries),
            reviews=held.reviews - len(rejected),
            rejected=len(rejected),
            sent=sent,
        )

    def _store(self, connection: Connection, messages: list[Message]) -> tuple[int, list[Rejected]]:
        """Store messages and send their first tasks; returns how many reviews were sent, and what was rejected.

        Waits as long as the database is away, the next queue is full or a right is missing. A message that
        PostgreSQL refuses is rejected whole, and does not hold up its neighbours.
        """
        while True:
            try:
                sent = self._store_once(messages)
            except PoisonError as error:
                if len(messages) > 1:
                    parts = [self._store(connection, [message]) for message in messages]
                    return sum(part[0] for part in parts), [item for part in parts for item in part[1]]
                messages = [self._refused(messages[0], error)]
            except (RetryableError, ConfigurationError) as error:
                seconds = pause_s(self._failures)
                self._failures += 1
                log.warning("ingest.waiting", pause_s=round(seconds, 1), error=str(error))
                self._wait_on(connection, seconds)
            else:
                return sent, [item for message in messages for item in message.rejected]

    def _wait_on(self, connection: Connection, seconds: float) -> None:
        """Wait with the connection kept alive. What arrives meanwhile is gathered; the prefetch bounds it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._stopping:
                raise _Stopped
            with suppress(TimeoutError):
                connection.drain_events(timeout=LOOK_UP_S)
            connection.heartbeat_check()

    def _store_once(self, messages: list[Message]) -> int:
        first_stage = self._settings.stages[0]
        stored = take_in(
            self._runtime.database,
            messages,
            queue=topology.INCOMING.queue,
            taxonomy_id=self._runtime.taxonomy_id,
            first_stage=first_stage,
            predict_queue=topology.CPU_CLASSIFY.queue if self._settings.predictions else None,
        )
        crash_points.at("ingest.stored")
        labelling.send(first_stage, stored.first_stage, self._runtime.taxonomy_id)
        prediction.send(stored.unpredicted, self._runtime.taxonomy_id)
        return len(stored.first_stage)

    def _refused(self, message: Message, error: PoisonError) -> Message:
        payload = reviews.encode_reviews(message.reviews)
        return Message([], [*message.rejected, Rejected(str(error), payload)], message.batch)

    def _set_aside(self, connection: Connection, rejected: list[Rejected]) -> None:
        """Put what was rejected, with the reason, where a person can look at it and send it again."""
        if not rejected:
            return
        with connection.channel() as channel:
            producer = Producer(channel, topology.DEAD, auto_declare=False)
            for item in rejected:
                producer.publish(
                    item.payload,
                    routing_key=topology.INCOMING.dead_letters,
                    content_type="application/octet-stream",
                    content_encoding="binary",
                    headers={"reason": item.reason[:1_000]},
                    delivery_mode=2,
                    mandatory=True,
                    confirm_timeout=self._settings.statement_timeout_s,
                )
