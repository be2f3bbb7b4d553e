"""A name for a worker that no other on its machine has: Celery's name for its mailbox, held while it is connected."""

from __future__ import annotations

import socket

import amqp.exceptions
from celery import Celery
from kombu import Connection

from shared.errors import ConfigurationError

MOST = 1_000


def chosen(app: Celery, connection: Connection, kind: str, wanted: str | None) -> str:
    """The name wanted, or the first that is free of `cpu`, `cpu-2`, `cpu-3` and so on.

    Raises ConfigurationError where a connected worker has the name that was asked for.
    """
    if wanted is not None:
        if _is_taken(app, connection, wanted):
            raise ConfigurationError(
                f"--name {wanted}: expected a name that no other worker has, found that {node(wanted)} is at work; "
                "choose another, or leave --name out"
            )
        return wanted
    numbered = (kind if number == 1 else f"{kind}-{number}" for number in range(1, MOST))
    return next(name for name in numbered if not _is_taken(app, connection, name))


def node(name: str) -> str:
    """What Celery, Flower and the table of runs call a worker."""
    return f"{name}@{socket.gethostname()}"


def _is_taken(app: Celery, connection: Connection, name: str) -> bool:
    """Whether a connected worker reads the mailbox of that name: it belongs to its connection alone."""
    mailbox = app.control.mailbox.get_queue(node(name)).name
    with connection.channel() as channel:
        try:
            channel.queue_declare(mailbox, passive=True)
        except amqp.exceptions.ResourceLocked:
            return True
        except amqp.exceptions.NotFound:
            return False
    return False
