"""A name for a worker that no other on its machine has.

Celery gives a connected worker a mailbox of its name, which belongs to its connection alone. Until it is connected, a
queue of ours keeps the name for it, so that workers which start together get different ones.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final

import amqp.exceptions
from celery import Celery
from kombu import Connection

from shared.errors import ConfigurationError, PublishingBlocked
from shared.settings import Settings
from workers.rabbitmq.connection import connected, to_rabbitmq, translated

TO_NOBODY: Final = b'{"destination": ["nobody"]}'
"""What Celery reads in a mailbox, and leaves alone."""


@contextmanager
def claimed(app: Celery, settings: Settings, kind: str, wanted: str | None) -> Iterator[str]:
    """The name wanted, or the first that is free of `cpu`, `cpu-2`, `cpu-3` and so on; kept while this lasts.

    Raises ConfigurationError where another worker has the name that was asked for.
    """
    with to_rabbitmq(settings) as connection:
        connection.heartbeat = 0  # nobody answers while models are loaded
        numbered = (kind if number == 1 else f"{kind}-{number}" for number in count(1))
        with translated():  # what goes wrong afterwards is not RabbitMQ's
            free = (
                one for one in ([wanted] if wanted else numbered) if _claim(app, settings, connection, one)
            )
            name = next(free, None)
        if name is None:
            raise ConfigurationError(
                f"--name {wanted}: expected a name that no other worker has, found that {node(str(wanted))} is at "
                "work; choose another, or leave --name out"
            )
        yield name


def node(name: str) -> str:
    """What Celery, Flower and the table of runs call a worker."""
    return f"{name}@{socket.gethostname()}"


def _claim(app: Celery, settings: Settings, connection: Connection, name: str) -> bool:
    """Keep a name for as long as the connection lives; False where somebody has it."""
    claim = f"{node(name)}.otzyv.name"
    if is_there(settings, claim):
        return False
    try:
        connection.channel().queue_declare(
            claim, exclusive=True, durable=False, arguments={"x-message-ttl": 0}
        )
    except amqp.exceptions.ResourceLocked:
        return False
    return not is_there(settings, app.control.mailbox.get_queue(node(name)).name)


def is_there(settings: Settings, queue: str) -> bool:
    """Whether a queue exists, also one that belongs to another connection.

    Asked by a letter to nobody, which comes back where there is none: RabbitMQ logs every other way to ask as an error.
    Where no letter may be sent, it is asked so all the same.
    """
    returned = []
    letter = {"content_type": "application/json", "content_encoding": "utf-8"}
    try:
        with connected(settings, on_blocked=lambda _why: None) as asking, asking.channel() as channel:
            channel.events["basic_return"].add(lambda *_: returned.append(True))
            message = channel.prepare_message(TO_NOBODY, **letter)
            channel.basic_publish(message, exchange="", routing_key=queue, mandatory=True)
    except (PublishingBlocked, ConfigurationError):
        with connected(settings) as asking:
            try:
                asking.channel().queue_declare(queue, passive=True)
            except amqp.exceptions.NotFound:
                return False
            except amqp.exceptions.ResourceLocked:
                return True
    return not returned
