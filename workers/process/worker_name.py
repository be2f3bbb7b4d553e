"""A name for a worker that no other on its machine has.

Celery gives a connected worker a mailbox of its name, which belongs to its connection alone. Until it is connected, a
queue of ours keeps the name for it, so that workers which start together get different ones.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count

import amqp.exceptions
from celery import Celery
from kombu import Connection

from shared.errors import ConfigurationError
from shared.settings import Settings
from workers.rabbitmq.connection import connected


@contextmanager
def claimed(app: Celery, settings: Settings, kind: str, wanted: str | None) -> Iterator[str]:
    """The name wanted, or the first that is free of `cpu`, `cpu-2`, `cpu-3` and so on; kept while this lasts.

    Raises ConfigurationError where another worker has the name that was asked for.
    """
    with connected(settings) as connection:
        connection.heartbeat = 0  # nobody answers while models are loaded
        if wanted is not None:
            if not _claim(app, connection, wanted):
                raise ConfigurationError(
                    f"--name {wanted}: expected a name that no other worker has, found that {node(wanted)} is at work; "
                    "choose another, or leave --name out"
                )
            yield wanted
        else:
            numbered = (kind if number == 1 else f"{kind}-{number}" for number in count(1))
            yield next(name for name in numbered if _claim(app, connection, name))


def node(name: str) -> str:
    """What Celery, Flower and the table of runs call a worker."""
    return f"{name}@{socket.gethostname()}"


def _claim(app: Celery, connection: Connection, name: str) -> bool:
    """Keep a name for as long as the connection lives; False where somebody has it."""
    mailbox = app.control.mailbox.get_queue(node(name)).name
    try:
        connection.channel().queue_declare(f"{node(name)}.otzyv.name", exclusive=True, durable=False)
        with suppress(amqp.exceptions.NotFound):
            connection.channel().queue_declare(mailbox, passive=True)
    except amqp.exceptions.ResourceLocked:
        return False
    return True
