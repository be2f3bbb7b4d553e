"""Streams for tests: declared, filled as fast as RabbitMQ takes it, and read to the end by another reader."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import amqp
from kombu import Connection

from tests.support.servers import PATIENCE_S

IN_FLIGHT = 5_000


def declare(amqp_url: str, name: str, **arguments: object) -> None:
    """A stream with these arguments besides its type."""
    with Connection(amqp_url) as connection, connection.channel() as channel:
        channel.queue_declare(
            name, durable=True, auto_delete=False, arguments={"x-queue-type": "stream", **arguments}
        )


def publish(amqp_url: str, name: str, bodies: Iterable[bytes], **properties: object) -> int:
    """Append messages, many of them unconfirmed at a time; returns how many, all confirmed."""
    sent = confirmed = 0

    def note(delivery_tag: int, _multiple: bool) -> None:
        nonlocal confirmed
        confirmed = max(confirmed, delivery_tag)

    described = {"content_type": "application/json", "content_encoding": "utf-8", **properties}
    with Connection(amqp_url) as connection, connection.channel() as channel:
        channel.confirm_select()
        channel.events["basic_ack"].add(note)
        for body in bodies:
            channel.basic_publish(
                amqp.Message(body, delivery_mode=2, **described), exchange="", routing_key=name
            )
            sent += 1
            while sent - confirmed >= IN_FLIGHT:
                connection.drain_events(timeout=PATIENCE_S)
        while confirmed < sent:
            connection.drain_events(timeout=PATIENCE_S)
        channel.queue_declare(name, passive=True)  # a refusal would have closed the channel
    return sent


def read(
    amqp_url: str, name: str, count: int, on_each: Callable[[Any], object] = lambda _: None
) -> list[int]:
    """The offsets that another reader of the stream finds, from the first on, until there are so many."""
    found: list[int] = []

    def note(delivery: Any) -> None:
        found.append(int(delivery.headers["x-stream-offset"]))
        on_each(delivery)
        channel.basic_ack(delivery.delivery_tag)

    with Connection(amqp_url) as connection, connection.channel() as channel:
        channel.basic_qos(0, 500, a_global=False)
        tag = channel.basic_consume(name, callback=note, arguments={"x-stream-offset": "first"})
        while len(found) < count:
            connection.drain_events(timeout=PATIENCE_S)
        channel.basic_cancel(tag)
    return found


def reviews(*numbers: int, text: str = "Платье номер {} село отлично") -> list[bytes]:
    """One message for each review."""
    return [
        json.dumps({"source": "shop", "id": str(number), "text": text.format(number)}).encode()
        for number in numbers
    ]
