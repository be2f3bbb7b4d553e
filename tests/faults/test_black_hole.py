"""Case 11: a database or a broker that takes connections and never answers. Every wait has an end."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO

import pytest
from psycopg2.extensions import cursor as Cursor

from shared.errors import DatabaseUnavailable
from shared.store import Database
from tests.faults.proxy import Mode, Proxy, proxy_to
from tests.faults.world import BOTH_WAYS, World
from tests.support.postgres_node import PostgresNode
from tests.support.servers import database_of

QUICK = {"OTZYV_CONNECT_TIMEOUT_S": "2", "OTZYV_STATEMENT_TIMEOUT_S": "5", "OTZYV_BROKER_TIMEOUT_S": "5"}
"""Limits that a test can wait for; RabbitMQ's heartbeat, which is no setting, takes a minute on top."""
HEALTH_S = 50
"""What `otzyv health` may take on a busy machine: two tries to connect for RabbitMQ, and the start of an interpreter.

Less than a minute, after which RabbitMQ's heartbeat would end what has no limit of its own.
"""


@contextmanager
def behind_proxies(world: World) -> Iterator[tuple[Proxy, Proxy]]:
    """Proxies before PostgreSQL and RabbitMQ that every process of the world goes through."""
    database, amqp = str(world.postgres.port), str(world.rabbit.port)
    with proxy_to(int(database)) as postgres, proxy_to(int(amqp)) as rabbit:
        world.told = {
            **QUICK,
            "OTZYV_DATABASE_URL": world.settings.database_url.replace(f":{database}/", f":{postgres.port}/"),
            "OTZYV_AMQP_URL": world.settings.amqp_url.replace(f":{amqp}/", f":{rabbit.port}/"),
        }
        yield postgres, rabbit


STATEMENTS: dict[str, Callable[[Cursor], object]] = {
    "a query": lambda cursor: cursor.execute("SELECT 1"),
    "a copy": lambda cursor: cursor.copy_expert(
        "COPY batches (id, name) FROM STDIN CSV", StringIO(f"{uuid.uuid4()},test")
    ),
    "a commit": lambda _cursor: None,
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_no_statement_is_waited_for_longer_than_its_limit(
    node: PostgresNode, migrated: str, statement: str
) -> None:
    with proxy_to(node.port) as proxy, database_of(node.url, migrated) as url:
        database = Database(
            url.replace(f":{node.port}/", f":{proxy.port}/"), connect_timeout_s=1, statement_timeout_s=1
        )

        def work() -> None:
            with database.transaction() as cursor:
                cursor.execute("SELECT 1")
                proxy.mode("swallow")
                STATEMENTS[statement](cursor)

        with pytest.raises(DatabaseUnavailable, match="no answer within 2 s; check that it runs"):
            work()
        proxy.mode("forward")
        database.ping()
        database.close()


def health(world: World) -> tuple[int, str, float]:
    """Exit code, what was said, and how long `otzyv health` took."""
    began = time.monotonic()
    done = world.run("health")
    return done.returncode, done.stderr, time.monotonic() - began


def never_answers(world: World, service: Proxy, mode: Mode, sentence: str) -> None:
    """Let a service fall silent in the middle of the work: all say so with this sentence; and let it speak again."""
    world.send(2_000)
    world.wait(lambda: world.count("labels") > 0, "labels")
    service.mode(mode)
    world.send(2_000, first=2_000)
    code, said, seconds = health(world)
    assert code == 75
    assert sentence in said
    assert seconds < HEALTH_S
    world.wait(lambda: sentence in world.log(world.taking_log), "ingest to give up waiting")
    world.wait(lambda: sentence in world.log(), "the worker to give up waiting")
    service.mode("forward")
    world.wait_settled(4_000)
    assert health(world)[0] == 0
    world.ledger.note(f"health failed after {seconds:.1f} s")


@BOTH_WAYS
@pytest.mark.case(
    11, expected="every statement is given up in time, health fails, all goes on with the next answer"
)
@pytest.mark.parametrize("mode", ["swallow", "hold"])
def test_a_database_that_never_answers_is_given_up_and_work_goes_on_when_it_does(
    world: World, mode: Mode
) -> None:
    """PostgreSQL takes connections and statements, and answers none of them."""
    with behind_proxies(world) as (postgres, _), world.running():
        never_answers(world, postgres, mode, "PostgreSQL did not finish")
    world.ledger.check()


@BOTH_WAYS
@pytest.mark.case(
    11, expected="connections are given up in time, health fails, all goes on with the next answer"
)
def test_a_broker_that_never_answers_is_given_up_and_work_goes_on_when_it_does(world: World) -> None:
    """RabbitMQ takes connections and messages, and answers none of them."""
    with behind_proxies(world) as (_, rabbit), world.running():
        never_answers(world, rabbit, "swallow", "RabbitMQ did not answer")
    world.ledger.check()
