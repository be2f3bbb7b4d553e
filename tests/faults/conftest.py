"""Services that may be killed, and the ledger at the end of every case."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.settings import Settings, load
from shared.store import Database
from shared.store.postgres import schema
from tests.faults.observations import LEDGER
from tests.faults.world import World
from tests.support.postgres_node import PostgresNode, postgres_node
from tests.support.servers import RabbitNode, database_of, rabbit_node


@pytest.fixture(scope="session")
def rabbit() -> Iterator[RabbitNode]:
    """A RabbitMQ node that may be killed and started again, and tells its counts every second, not every five."""
    with rabbit_node("{collect_statistics_interval, 1000}, {quorum_tick_interval, 1000}") as running:
        yield running


@pytest.fixture(scope="session")
def node() -> Iterator[PostgresNode]:
    """A PostgreSQL server that may be killed and started again."""
    with postgres_node() as server:
        yield server


@pytest.fixture(scope="session")
def postgres(node: PostgresNode) -> str:
    """Its URL: in this folder every database is on that server."""
    return node.url


@pytest.fixture(scope="session")
def migrated(postgres: str) -> Iterator[str]:
    """The name of a database with all tables, to copy from."""
    with database_of(postgres) as url:
        database = Database(url)
        schema.upgrade(database)
        database.close()
        yield url.split("?")[0].rsplit("/", 1)[-1]


@pytest.fixture
def database_url(node: PostgresNode, migrated: str) -> Iterator[str]:
    """The URL of a database with empty tables; the server runs again when a test that failed left it down."""
    if not node.is_up:
        node.start()
    with database_of(node.url, migrated) as url:
        yield url
        if not node.is_up:
            node.start()


@pytest.fixture
def settings(amqp_url: str, database_url: str) -> Settings:
    """Settings that point to an empty broker and an empty database."""
    return load(amqp_url=amqp_url, database_url=database_url)


@pytest.fixture
def judges_first() -> bool:
    """Cases about ingest, or about batches in queues, are about reviews that are stored first."""
    return False


@pytest.fixture
def world(
    settings: Settings,
    database: Database,
    rabbit: RabbitNode,
    node: PostgresNode,
    judges_first: bool,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> World:
    """Everything a case needs."""
    made = World(settings, database, rabbit, node, tmp_path)
    made.judges_first = judges_first
    request.node.stash[LEDGER] = made.ledger
    return made
