"""What a stream holds, and where a time is in it: RabbitMQ tells by what it delivers to a consumer that looks.

The counts that RabbitMQ gives for a stream are seconds old, and its first offset is nowhere to be had over AMQP 0-9-1.
What it has to deliver at once it delivers before it answers the next request, so nothing here waits for a time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Literal, NamedTuple

import amqp.exceptions
import msgspec
from kombu import Connection
from kombu.message import Message as Delivery

from shared.errors import BrokerUnavailable, ConfigurationError
from workers.rabbitmq.connection import away, is_away

OFFSET = "x-stream-offset"
GRACE_S = 0.5
"""How long a stream that seems to be empty is watched, in case a broker answers in another order."""
AT_ONCE = 500
MOST_ROUNDS = 100
"""Far more than a chunk holds; an end to looking at a stream that grows as fast."""


class Seen(NamedTuple):
    """A message that a stream has."""

    offset: int
    digest: bytes


class Bounds(msgspec.Struct, frozen=True):
    """The first offset that a stream still holds, and the one that its next message will have."""

    first: int
    end: int


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn RabbitMQ's refusals into ConfigurationError that says what is wrong with the stream."""
    try:
        yield
    except amqp.exceptions.NotFound as error:
        if is_away(error):
            raise away(f"stream {name}", error.reply_text) from error
        raise ConfigurationError(
            f"stream {name}: expected a stream of that name in RabbitMQ, found none ({error.reply_text}); declare it "
            "where its producer is set up, or correct the name in `otzyv ingest --stream`, and OTZYV_AMQP_URL"
        ) from error
    except amqp.exceptions.PreconditionFailed as error:
        kind = re.search(rf"{OFFSET}.* of queue type rabbit_(\w+)_queue", str(error))
        if kind is None:
            raise
        raise ConfigurationError(
            f"stream {name}: expected a queue of type stream, found a {kind[1]} queue; name a stream, or let "
            "`otzyv ingest` without a stream read what is published to the exchange reviews"
        ) from error
    except amqp.exceptions.AccessRefused as error:
        raise ConfigurationError(
            f"stream {name}: expected the right to read it, found none ({error.reply_text}); grant it to the user in "
            "OTZYV_AMQP_URL"
        ) from error


@contextmanager
def deliverable(name: str, offset: Callable[[], object]) -> Iterator[None]:
    """Turn RabbitMQ's failure to deliver what lies in a stream into BrokerUnavailable that says where it does."""
    try:
        yield
    except amqp.exceptions.InternalError as error:
        raise BrokerUnavailable(
            f"stream {name}, from offset {offset()} on: expected messages that AMQP 0-9-1 can deliver, found some "
            f"at which RabbitMQ fails ({error.code} {error.reply_text}): a client of the stream protocol writes them "
            "in sub-batches, or with other bodies than binary ones; let it write single messages with binary bodies "
            "into a new stream, and name that in `otzyv ingest --stream`"
        ) from error


def bounds(connection: Connection, name: str) -> Bounds:
    """What a stream holds now; the connection must have no consumers. Raises ConfigurationError."""
    first = _look(connection, name, "first", most=1)
    last = _look(connection, name, "last")
    return Bounds(first[0].offset, last[-1].offset + 1) if first and last else Bounds(0, 0)


def at(connection: Connection, name: str, moment: datetime) -> int | None:
    """The offset from which a stream has everything that came at a time or later; None where nothing has come since."""
    seen = _look(connection, name, moment, most=1)
    return seen[0].offset if seen else None


def digest_at(connection: Connection, name: str, offset: int) -> bytes | None:
    """The digest of the message at an offset; None where the stream has none there."""
    seen = _look(connection, name, offset, most=1)
    return seen[0].digest if seen and seen[0].offset == offset else None


def digest(delivery: Delivery) -> bytes:
    """16 bytes by which a message is known again."""
    return hashlib.blake2b(bytes(delivery.body or b""), digest_size=16).digest()


def _look(
    connection: Connection,
    name: str,
    start: datetime | int | Literal["first", "last"],
    most: int | None = None,
) -> list[Seen]:
    """Messages that are delivered from a start on, until there are no more, or so many."""
    seen: list[Seen] = []

    def note(delivery: Delivery) -> None:
        seen.append(Seen(int(delivery.headers[OFFSET]), digest(delivery)))
        delivery.channel.basic_ack(delivery.delivery_tag)

    def at() -> object:
        return seen[-1].offset + 1 if seen else start

    with deliverable(name, at), explained(name), connection.channel() as channel:
        channel.auto_decode = False  # bodies stay bytes, as ingest reads them
        channel.basic_qos(0, most or AT_ONCE, a_global=False)
        tag = channel.basic_consume(name, callback=note, arguments={OFFSET: start})
        for _ in range(MOST_ROUNDS):
            before = len(seen)
            channel.queue_declare(name, passive=True)
            if not seen:
                with suppress(TimeoutError):
                    connection.drain_events(timeout=GRACE_S)
            if len(seen) == before or (most and len(seen) >= most):
                break
        channel.basic_cancel(tag)
    return seen
