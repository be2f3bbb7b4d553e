"""Sending reviews to the exchange `reviews`, confirmed one message at a time."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

import msgspec
from kombu import Connection, Producer

from shared import reviews
from shared.errors import BrokerUnavailable
from shared.reviews import BatchPart
from shared.settings import Settings
from workers import broker, topology
from workers.batch_task import pause_s

ATTEMPTS = 8
FIRST_ATTEMPTS = 2  # before anything was confirmed: a wrong URL should not take minutes to show


class Sent(msgspec.Struct, frozen=True):
    """One confirmed message."""

    number: int
    reviews: int


class Publisher:
    """Publishes the messages of one batch. A message counts as sent once RabbitMQ has confirmed it.

    Raises BrokerUnavailable when RabbitMQ stays away, or keeps refusing because a queue is full.
    """

    def __init__(
        self, settings: Settings, on_pause: Callable[[str, float], None] = lambda _why, _s: None
    ) -> None:
        self._settings = settings
        self._on_pause = on_pause
        self._connection: Connection | None = None
        self._producer: Producer | None = None
        self._returned = self._confirmed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._close()

    def send(self, batch: uuid.UUID, name: str, groups: Iterable[list[dict[str, object]]]) -> Iterator[Sent]:
        """Send each group as one message of the batch; yields as each is confirmed.

        One group is held back until it is known whether it is the last, because the last message says so.
        """
        number = 0
        held: list[dict[str, object]] | None = None
        for group in groups:
            if held is not None:
                yield self._send(held, BatchPart(batch, number, name=name))
                number += 1
            held = group
        if held is not None:
            yield self._send(held, BatchPart(batch, number, last=True, name=name))

    def _send(self, group: list[dict[str, object]], part: BatchPart) -> Sent:
        body = reviews.encode(group, part)
        attempts = ATTEMPTS if self._confirmed else FIRST_ATTEMPTS
        for attempt in range(attempts):
            try:
                with broker.translated():
                    self._publish(body)
            except BrokerUnavailable as error:
                self._close()
                if attempt + 1 == attempts:
                    raise
                seconds = pause_s(attempt)
                self._on_pause(str(error), seconds)
                time.sleep(seconds)
            else:
                self._confirmed = True
                break
        return Sent(part.number, len(group))

    def _publish(self, body: bytes) -> None:
        if self._producer is None:
            self._open()
        assert self._producer is not None  # noqa: S101
        self._returned = False
        self._producer.publish(
            body,
            routing_key=topology.INCOMING_KEY,
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=2,
            mandatory=True,
            confirm_timeout=self._settings.statement_timeout_s,
        )
        if self._returned:
            raise BrokerUnavailable(
                f"RabbitMQ returned the message: expected queue {topology.INCOMING.queue} bound to exchange "
                f"{topology.REVIEWS.name}, found none; it is declared anew on the next try"
            )

    def _open(self) -> None:
        self._connection = broker.connection(self._settings)
        topology.declare(self._connection)
        channel = self._connection.channel()
        self._producer = Producer(channel, topology.REVIEWS, auto_declare=False, on_return=self._note_return)

    def _note_return(self, *_args: object) -> None:
        self._returned = True

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.release()
        self._connection = self._producer = None
