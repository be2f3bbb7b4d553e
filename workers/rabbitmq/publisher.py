"""Sending reviews to the exchange `reviews`, confirmed one message at a time."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from itertools import chain, pairwise

import msgspec

from shared.errors import BrokerUnavailable, OtzyvError, PublishingBlocked, QueueFull
from shared.reviews import wire
from shared.reviews.wire import BatchPart
from shared.settings import Settings
from workers.rabbitmq import topology
from workers.rabbitmq.backoff import pause_s
from workers.rabbitmq.confirmed import Confirmed
from workers.rabbitmq.connection import connected
from workers.rabbitmq.queue_states import counted
from workers.rabbitmq.topology import Lane

ATTEMPTS = 8
FIRST_ATTEMPTS = 2  # before anything was confirmed: a wrong URL should not take minutes to show
LONGEST_FULL_PAUSE_S = 5.0
PROPERTIES = {"content_type": "application/json", "content_encoding": "utf-8"}


class Sent(msgspec.Struct, frozen=True):
    """One confirmed message."""

    number: int
    reviews: int


class Publisher(AbstractContextManager["Publisher"]):
    """Publishes the messages of one batch. A message counts as sent once RabbitMQ has confirmed it.

    A full queue slows the publisher down to the speed of those who consume it, an alarm of RabbitMQ's stops it. Raises
    BrokerUnavailable when RabbitMQ stays away, QueueFull or PublishingBlocked when it has taken nothing for
    `patience_s` seconds. `on_pause` is told why and for how many seconds at least a message waits, `on_sent` that it
    has been confirmed after all.
    """

    def __init__(
        self,
        settings: Settings,
        on_pause: Callable[[str, float], None] = lambda _why, _s: None,
        on_sent: Callable[[], None] = lambda: None,
        patience_s: float = 600.0,
        lane: Lane = "bulk",
    ) -> None:
        self._settings = settings
        self._on_pause, self._on_sent = on_pause, on_sent
        self._patience_s = patience_s
        self._line = topology.in_lane(topology.INCOMING, lane)
        self._open = ExitStack()
        self._confirmed: Confirmed | None = None
        self._has_sent = False
        self._is_waiting = False

    def __exit__(self, *_: object) -> None:
        self._close()

    def send(self, batch: uuid.UUID, name: str, groups: Iterable[list[dict[str, object]]]) -> Iterator[Sent]:
        """Send each group as one message of the batch; yields as each is confirmed.

        One group is held back until it is known whether it is the last, because the last message says so.
        """
        for number, (group, following) in enumerate(pairwise(chain(groups, [None]))):
            if group is not None:
                yield self._send(group, BatchPart(batch, number, last=following is None, name=name))

    def _send(self, group: list[dict[str, object]], part: BatchPart) -> Sent:
        body = wire.encode(group, part)
        since: float | None = None
        failures = refusals = 0
        while True:
            began = time.monotonic()
            try:
                if self._confirmed is None:
                    # It waits for the end of an alarm by itself, which saves sending the message twice.
                    tell = partial(self._tell, seconds=0.0)
                    waiting = Confirmed(self._settings, patience_s=self._patience_s, on_blocked=tell)
                    self._confirmed = self._open.enter_context(waiting)
                self._confirmed.publish(body, topology.REVIEWS, self._line.routing_key, PROPERTIES)
            except (QueueFull, PublishingBlocked) as error:
                since = since or began
                why = QueueFull(self._fullness()) if isinstance(error, QueueFull) else error
                if time.monotonic() - since >= self._patience_s:
                    raise type(why)(f"{why}; it took nothing for {self._patience_s:g} s") from error
                if why is error:
                    self._close()  # part of the message may lie in the buffers between
                self._pause(str(why), min(pause_s(refusals), LONGEST_FULL_PAUSE_S))
                refusals += 1
            except BrokerUnavailable as error:
                self._close()
                failures += 1
                if failures >= (ATTEMPTS if self._has_sent else FIRST_ATTEMPTS):
                    raise
                self._pause(str(error), pause_s(failures - 1))
            else:
                break
        self._has_sent = True
        if self._is_waiting:
            self._is_waiting = False
            self._on_sent()
        return Sent(part.number, len(group))

    def _pause(self, why: str, seconds: float) -> None:
        self._tell(why, seconds)
        time.sleep(seconds)

    def _tell(self, why: str, seconds: float) -> None:
        self._is_waiting = True
        self._on_pause(why, seconds)

    def _fullness(self) -> str:
        """How full the queue is and who consumes it, for a person."""
        try:
            with connected(self._settings) as connection:
                messages, consumers = counted(connection, topology.queue(self._line))
        except OtzyvError as error:
            return str(error)
        who = f"{consumers} consumers have" if consumers > 1 else "its consumer has"
        rest = (
            f"{who} to catch up" if consumers else f"nobody consumes it: start `{self._settings.taken_in_by}`"
        )
        return f"{self._line.queue} is full with {messages or 0:,} messages; {rest}"

    def _close(self) -> None:
        self._open.close()
        self._confirmed = None
