"""Fixtures that more than one folder of tests needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from shared.settings import Settings, load
from shared.store import Database
from shared.store.postgres import schema
from tests.support.postgres_node import postgres_server
from tests.support.servers import RabbitNode, database_of, execute, rabbit_node

pytest_plugins = ["tests.support.store_fixtures"]

# Before anything imports torch, and for every process that a test starts: models of the tests are so small that
# threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What tests compare is English, whatever the machine's locale.
os.environ["OTZYV_LANGUAGE"] = "en"

TESTS = Path(__file__).parent
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its tier, which is its folder."""
    for item in items:
        item.add_marker(item.path.relative_to(TESTS).parts[0])


@pytest.fixture(autouse=True)
def _logs_of_no_other_test() -> Iterator[None]:
    """A command that ran inside a test has pointed the logs to that test's standard error, which is closed by now."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL server of the tests' own."""
    with postgres_server() as url:
        # Databases come and go by the hundred, and none has to outlive a power cut.
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            execute(url, f"ALTER SYSTEM SET {setting} = off")
        execute(url, "SELECT pg_reload_conf()")
        yield url


@pytest.fixture(scope="session")
def migrated(postgres: str) -> Iterator[str]:
    """The name of a database with all tables, to copy from."""
    with database_of(postgres) as url:
        database = Database(url)
        schema.upgrade(database)
        yield url.split("?")[0].rsplit("/", 1)[-1]


@pytest.fixture
def database_url(postgres: str, migrated: str) -> Iterator[str]:
    """The URL of a database with empty tables."""
    with database_of(postgres, migrated) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with empty tables."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def rabbit() -> Iterator[RabbitNode]:
    """A real RabbitMQ node of the tests' own."""
    with rabbit_node() as node:
        yield node


@pytest.fixture
def amqp_url(rabbit: RabbitNode) -> Iterator[str]:
    """The URL of an empty virtual host."""
    with rabbit.virtual_host() as url:
        yield url


@pytest.fixture
def settings(amqp_url: str, database_url: str) -> Settings:
    """Settings that point to an empty broker and an empty database."""
    return load(amqp_url=amqp_url, database_url=database_url)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the reference reviews, which lies beside the project and never in it."""
    if not (SHARED_DATA / "reviews.csv").exists():
        pytest.skip("needs ../shared/data, the reference reviews, beside the project")
    return SHARED_DATA
