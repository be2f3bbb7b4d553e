"""The messages of each lane that ingest holds until they are stored, and when that is to be done."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from kombu.message import Message as Delivery

from shared.reviews.wire import Message
from shared.settings import Settings
from workers.ingest.source import HeldMessage, most_held
from workers.rabbitmq.topology import LANES, Lane

MOST_REVIEWS = 5_000
MOST_BYTES = 32 * 2**20
"""Of messages in one transaction, whose statement PostgreSQL has to take in as a whole."""


class Gathered:
    """The messages of a lane that are held at the moment, since when, and when they may be tried again."""

    def __init__(self) -> None:
        self.held: list[HeldMessage] = []
        self.reviews = 0
        self.since = 0.0
        self.tries = 0
        self.not_before = 0.0

    def add(self, delivery: Delivery, message: Message, now: float) -> None:
        """Hold one more message."""
        if not self.held:
            self.since = now
        self.held.append(HeldMessage(delivery, message))
        self.reviews += count(message)

    def first(self, most: int) -> list[HeldMessage]:
        """As many of them as go into one transaction of so many reviews, at least one: after an outage all may be more.

        A list of its own: whoever publishes on the connection takes in what has come meanwhile, and that is not stored.
        """
        reviews = size = 0
        for place, one in enumerate(self.held):
            reviews, size = reviews + count(one.message), size + len(one.delivery.body or b"")
            if place and (reviews > most or size > MOST_BYTES):
                return self.held[:place]
        return self.held[:]

    def due_at(self, linger_s: float) -> float:
        """When what is held has waited long enough, on the monotonic clock; never, where nothing is held."""
        return max(self.since + linger_s, self.not_before) if self.held else math.inf

    def forget(self, part: Sequence[HeldMessage]) -> None:
        """The first of them are done."""
        self.held = self.held[len(part) :]
        self.reviews = sum(count(one.message) for one in self.held)
        self.tries, self.not_before = 0, 0.0


def count(message: Message) -> int:
    """How many reviews a message brought, rejected ones included."""
    return len(message.reviews) + len(message.rejected)


def nothing() -> dict[Lane, Gathered]:
    """No message of any lane."""
    return {lane: Gathered() for lane in LANES}


def due(gathered: Mapping[Lane, Gathered], settings: Settings, now: float) -> list[Lane]:
    """The lanes to store now, in order.

    Whatever is held live goes before a bulk batch: that takes longer than what is left of the lingering.
    """
    linger_s = settings.linger_ms / 1000
    lanes = [
        lane
        for lane in LANES
        if now >= gathered[lane].due_at(linger_s)
        or (now >= gathered[lane].not_before and is_full(gathered[lane], lane, settings))
    ]
    live = gathered["live"]
    if lanes == ["bulk"] and live.held and now >= live.not_before:
        return ["live", "bulk"]
    return lanes


def most_reviews(lane: Lane, settings: Settings) -> int:
    """Reviews of a lane in one transaction: bulk ones in small parts, since live ones wait meanwhile."""
    return MOST_REVIEWS if lane == "live" else min(settings.batch_rows, MOST_REVIEWS)


def is_full(gathered: Gathered, lane: Lane, settings: Settings) -> bool:
    """Whether there is enough for a batch, or as many messages are held as may be."""
    return gathered.reviews >= settings.batch_rows or len(gathered.held) >= most_held(settings, lane)
