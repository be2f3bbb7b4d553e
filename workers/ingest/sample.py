"""A sample of what a queue or stream holds: looked at, acknowledged never, so that every message stays where it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

import amqp.exceptions
from kombu import Connection, Queue
from kombu.message import Message as Delivery

from shared.errors import ConfigurationError
from workers.ingest import source, stream_bounds
from workers.ingest.stream_bounds import OFFSET
from workers.rabbitmq import topology
from workers.rabbitmq.topology import LANES

QUIET_S: Final = 1.0
"""When nothing has come for so long, there is nothing more."""
LONGEST_S: Final = 30.0
"""Where messages trickle in: nobody else gets those of a queue meanwhile."""

See = Callable[[Delivery], object]


def of_queue(connection: Connection, most: int, see: See) -> int:
    """Show up to so many messages of the queue, the live lane first; returns how many.

    One consumer takes those of a lane: RabbitMQ 3.10.8 puts back more than 32 that `basic.get` has taken in any order.
    They count as delivered once more. Raises ConfigurationError where the queue has not been declared.
    """
    seen = 0
    for lane in LANES:
        name = topology.in_lane(topology.INCOMING, lane).queue
        try:
            if seen < most:
                seen += _look(connection, Queue(name, no_declare=True), most - seen, see)
        except amqp.exceptions.NotFound as error:
            raise ConfigurationError(
                f"queue {name}: expected it in RabbitMQ, found none; `otzyv worker cpu` declares it, and producers "
                "publish to the exchange reviews then"
            ) from error
    return seen


def of_stream(connection: Connection, name: str, start: str | int | datetime, most: int, see: See) -> int:
    """Show up to so many messages of a stream from a start on; returns how many. No offset is stored."""
    offset = start

    def follow(delivery: Delivery) -> None:
        nonlocal offset
        offset = int(delivery.headers[OFFSET]) + 1
        see(delivery)

    queue = Queue(name, no_declare=True, consumer_arguments={OFFSET: start})
    with stream_bounds.deliverable(name, lambda: offset), stream_bounds.explained(name):
        return _look(connection, queue, most, follow)


def _look(connection: Connection, queue: Queue, most: int, see: See) -> int:
    """What a consumer is given that may hold so many; the end of its channel gives all of them back in their order."""
    seen = 0

    def count(delivery: Delivery) -> None:
        nonlocal seen
        # RabbitMQ sends what a producer has put into a stream at once in one piece, whatever a consumer may hold.
        if seen < most:
            seen += 1
            see(delivery)

    until = time.monotonic() + LONGEST_S
    with source.consumer(connection, queue, most, count) as consumer, consumer, suppress(TimeoutError):
        while seen < most and (left := until - time.monotonic()) > 0:
            connection.drain_events(timeout=min(QUIET_S, left))
    return seen
