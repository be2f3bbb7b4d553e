"""A database and queues of a benchmark's own, on the servers that the settings name."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from kombu import Connection

from scripts.command.ending import ended_by_signals
from shared.errors import ConfigurationError
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import Database
from shared.store.postgres import schema
from workers.rabbitmq import topology
from workers.rabbitmq.connection import connected
from workers.rabbitmq.queue_states import counted


@contextmanager
def scratch(settings: Settings) -> Iterator[Settings]:
    """The settings with a fresh database, and with queues that were not there before; both are deleted at the end.

    Raises ConfigurationError where the virtual host has queues of an Otzyv, whose messages would be lost.
    """
    with ended_by_signals(), _queues(settings), own_database(settings) as own:
        yield own


@contextmanager
def own_database(settings: Settings) -> Iterator[Settings]:
    """The settings with a fresh database, which is dropped at the end."""
    name = f"otzyv_bench_{uuid.uuid4().hex[:8]}"
    server = runtime.open_database(settings, "otzyv bench")
    _outside_transaction(server, f"CREATE DATABASE {name}")
    try:
        parts = urlsplit(settings.database_url)
        own = settings.model_copy(update={"database_url": urlunsplit(parts._replace(path=f"/{name}"))})
        database = runtime.open_database(own, "otzyv bench")
        schema.upgrade(database)
        database.close()
        yield own
    finally:
        _outside_transaction(server, f"DROP DATABASE {name} WITH (FORCE)")
        server.close()


def _outside_transaction(server: Database, statement: str) -> None:
    with server.connection(patient=True) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


@contextmanager
def _queues(settings: Settings) -> Iterator[None]:
    with connected(settings) as connection:
        _refuse_company(connection)
        topology.declare(connection)
    try:
        yield
    finally:
        with connected(settings) as connection, connection.channel() as channel:
            for line in topology.ALL_LINES:
                for queue in (topology.queue(line), topology.dead_letter_queue(line)):
                    queue(channel).delete()


def _refuse_company(connection: Connection) -> None:
    for line in topology.ALL_LINES:
        for queue in (topology.queue(line), topology.dead_letter_queue(line)):
            if counted(connection, queue)[0] is not None:
                raise ConfigurationError(
                    f"otzyv bench: expected a virtual host without queues of Otzyv, found {queue.name}; what comes "
                    "meanwhile would go with the benchmark. Make one (`rabbitmqctl add_vhost bench` and `rabbitmqctl "
                    "set_permissions -p bench USER '.*' '.*' '.*'`) and name it in OTZYV_AMQP_URL; where a benchmark "
                    "was killed there, delete it first"
                )
