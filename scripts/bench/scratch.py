"""A database and queues of a benchmark's own, on the servers that the settings name."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from kombu import Connection

from shared.errors import ConfigurationError
from shared.settings import Settings
from shared.store import Database, schema
from workers import broker, runtime, topology
from workers.queue_states import counted


@contextmanager
def scratch(settings: Settings) -> Iterator[Settings]:
    """The settings with a fresh database, and with empty queues that nobody consumes; both are deleted at the end.

    Raises ConfigurationError where the virtual host has an Otzyv at work, or messages of one.
    """
    with _queues(settings), _database(settings) as own:
        yield own


@contextmanager
def _database(settings: Settings) -> Iterator[Settings]:
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
    with broker.translated(), broker.connection(settings) as connection:
        _refuse_company(connection)
        topology.declare(connection)
    try:
        yield
    finally:
        with broker.translated(), broker.connection(settings) as connection, connection.channel() as channel:
            for line in (*topology.LINES, *topology.BULK_LINES):
                for queue in (topology.queue(line), topology.dead_letter_queue(line)):
                    queue(channel).delete()


def _refuse_company(connection: Connection) -> None:
    for line in (*topology.LINES, *topology.BULK_LINES):
        for queue in (topology.queue(line), topology.dead_letter_queue(line)):
            messages, consumers = counted(connection, queue)
            if messages or consumers:
                raise ConfigurationError(
                    f"otzyv bench: expected a virtual host without an Otzyv at work, found {messages or 0:,} messages "
                    f"and {consumers} consumers at {queue.name}; name another one in OTZYV_AMQP_URL, since the queues "
                    "are deleted at the end"
                )
