"""Incoming messages become stored reviews and first tasks. A plain kombu consumer; Celery only sends.

Messages are gathered until there are enough reviews, or the first has waited long enough, or as many messages
are held as may be. Then: one transaction, the first tasks published and confirmed, and only then the messages
acknowledged. A crash in between repeats work and changes nothing. Where the messages come from, and what remembers
which of them are done, is the source's: `workers.ingest.queue_source`, `workers.ingest.stream_source`.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from types import FrameType

import structlog
from kombu import Connection
from kombu.message import Message as Delivery

from shared.errors import ConfigurationError, PositionLost, PublishingBlocked, RetryableError
from shared.reviews.field_mapping import FieldMapping
from shared.runtime.judging import judging
from shared.runtime.runtime import Runtime
from shared.store.processes.waits import Waiting
from workers.ingest.gathered import due, is_full, most_reviews, nothing
from workers.ingest.source import HeldMessage, MessageSource, Stopped
from workers.intake import envelope
from workers.intake.door import Admitted, Door, Passage
from workers.monitoring import metrics
from workers.process import crash_points
from workers.rabbitmq import topology
from workers.rabbitmq.backoff import LONGEST_PAUSE_S, pause_s
from workers.rabbitmq.connection import connected
from workers.rabbitmq.topology import LANES, Lane

log = structlog.get_logger()

LOOK_UP_S = 0.5
AT_ONCE_S = 0.001
"""For what has come already. Not 0: without blocking, py-amqp spins until the rest of a message has come."""
LONGEST_BLOCKED_PAUSE_S = 10.0
READ_S = 0.01
"""What comes is read for so long at a stretch: where it never ends, what is held must not wait for that."""


class Ingest:
    """Takes messages from a source until it is told to stop; then stores what it holds and returns."""

    def __init__(self, runtime: Runtime, source: MessageSource, mappings: Mapping[str, FieldMapping]) -> None:
        self._runtime = runtime
        self._source = source
        self._mappings = mappings
        self._settings = runtime.settings
        self._door = Door(runtime, source.name, judging(runtime) if runtime.settings.judge_first else None)
        self._gathered = nothing()
        self._stopping = False
        self._failures = 0  # since messages were last stored and acknowledged
        what = {lane: f"ingest {source.name}, {lane} lane" for lane in LANES} | {
            "all": f"ingest {source.name}"
        }
        self._waits = {name: Waiting(runtime.database, told) for name, told in what.items()}

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Finish what is held and return; a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Consume until stopped. A lost broker or database is waited for; nothing is acknowledged meanwhile."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        if self._mappings:
            mapping = self._mappings.get(self._source.name)
            others = sorted(name for name in self._mappings if name != self._source.name)
            told = str(mapping or "none, so that only the wire contract is read")
            log.info("ingest.mapping", source=self._source.name, mapping=told, others=others)
        while not self._stopping:
            self._gathered = nothing()
            try:
                self._consume()
            except RetryableError as error:
                seconds = pause_s(self._failures)
                self._failures += 1
                metrics.INGEST_WAITS.add(source=self._source.name)
                log.warning("ingest.reconnect", pause_s=round(seconds, 1), error=str(error), **self._held())
                self._waits["all"].again(error, seconds)
                until = time.monotonic() + seconds
                while not self._stopping and time.monotonic() < until:
                    time.sleep(min(0.2, max(0.0, until - time.monotonic())))
            except Stopped:
                break
        log.info("ingest.stopped")

    def _consume(self) -> None:
        with self._source.claimed(lambda: self._stopping), connected(self._settings) as connection:
            topology.declare(connection)
            with self._source.attached(connection, self._receive) as consumers:
                log.info("ingest.consuming", **self._source.place)
                self._waits["all"].over()
                while not self._stopping:
                    self._drain(connection)
                    for lane in due(self._gathered, self._settings, time.monotonic()):
                        self._flush(lane)
                for consumer in consumers:
                    consumer.cancel()
                for lane in LANES:
                    while self._flush(lane):
                        pass

    def _held(self) -> dict[str, object]:
        """The messages that were held when a connection ended, and for how long: an acknowledgement may come late."""
        held = [gathered for gathered in self._gathered.values() if gathered.held]
        if not held:
            return {}
        seconds = time.monotonic() - min(gathered.since for gathered in held)
        return {"held_messages": sum(len(one.held) for one in held), "held_s": round(seconds, 1)}

    def _drain(self, connection: Connection) -> None:
        """Wait until something comes, not longer than something may be due; then take in all that has come.

        What lies unread cannot be told apart: a live message would wait for the bulk batch that is complete before it.
        """
        due_at = min(gathered.due_at(self._settings.linger_ms / 1000) for gathered in self._gathered.values())
        # Never long: a signal only sets a flag, and the wait goes on after it (PEP 475).
        timeout = min(LOOK_UP_S, max(AT_ONCE_S, due_at - time.monotonic()))
        if _took(connection, timeout):
            until = time.monotonic() + READ_S
            live = self._gathered["live"]
            while time.monotonic() < until and not is_full(live, "live", self._settings):
                if not _took(connection, AT_ONCE_S):
                    break
        else:
            connection.heartbeat_check()
            self._source.check()

    def _receive(self, lane: Lane, delivery: Delivery) -> None:
        message = envelope.opened(delivery, self._settings, self._source.name, self._mappings)
        self._gathered[lane].add(delivery, message, time.monotonic())

    def _flush(self, lane: Lane) -> bool:
        """Store what a lane holds, or the first of it; whether something was stored.

        While the database is away, the next queue is full or a right is missing, the lane is put off: what comes
        meanwhile is gathered, and the prefetch bounds it. The other lane goes on.
        """
        gathered = self._gathered[lane]
        part = gathered.first(most_reviews(lane, self._settings))
        if not part:
            return False
        try:
            admitted = self._store(part, lane)
            self._source.keep_rejected(admitted.rejected)
        except PositionLost:
            raise
        except (RetryableError, ConfigurationError) as error:
            # A blocked RabbitMQ is only looked at: nothing is sent before it says that it takes messages again.
            longest = LONGEST_BLOCKED_PAUSE_S if isinstance(error, PublishingBlocked) else LONGEST_PAUSE_S
            seconds = min(pause_s(gathered.tries), longest)
            gathered.tries += 1
            gathered.not_before = time.monotonic() + seconds
            metrics.INGEST_WAITS.add(source=self._source.name)
            log.warning("ingest.waiting", lane=lane, pause_s=round(seconds, 1), error=str(error))
            self._waits[lane].again(error, seconds)
            return False
        crash_points.at("ingest.sent")
        part[-1].delivery.ack(multiple=True)
        gathered.forget(part)
        self._failures = 0
        self._waits[lane].over()
        self._tell(lane, part, admitted)
        return True

    def _tell(self, lane: Lane, part: Sequence[HeldMessage], admitted: Admitted) -> None:
        source, rejected = self._source.name, len(admitted.rejected)
        metrics.INGEST_MESSAGES.add(len(part), source=source)
        metrics.INGEST_REVIEWS.add(admitted.reviews, source=source)
        metrics.INGEST_REJECTED.add(rejected, source=source)
        log.info(
            "ingest.stored",
            lane=lane,
            messages=len(part),
            reviews=admitted.reviews,
            rejected=rejected,
            sent=admitted.sent,
            **self._source.place,
        )

    def _store(self, held: list[HeldMessage], lane: Lane) -> Admitted:
        """Store messages and send what follows."""
        self._source.check()
        again = self._gathered[lane].tries > 0 or any(
            one.delivery.delivery_info.get("redelivered") for one in held
        )
        way = Passage(
            lambda places: self._source.step([held[at] for at in places]), self._source.stored, again
        )
        return self._door.admit([one.message for one in held], lane, way)


def _took(connection: Connection, timeout: float) -> bool:
    """Take in what comes next, or nothing where that takes too long."""
    try:
        connection.drain_events(timeout=timeout)
    except TimeoutError:
        return False
    return True
