"""PostgreSQL that dies, is away, cannot serialise, or is slow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.faults.proxy import proxy_to
from tests.faults.world import BOTH_WAYS, World
from tests.support import ledger as tables
from tests.support.postgres_node import How
from tests.support.process_tree import children, resident_mib

A_MINUTE_S = 60.0
GROWTH_MIB = 150.0
"""More than a process may grow under a burst; 100,000 reviews held in memory would be several times that."""


@contextmanager
def session(world: World) -> Iterator[Connection]:
    """A connection of the test's own, which no pool of Otzyv knows."""
    connection = psycopg2.connect(world.settings.database_url)
    try:
        yield connection
    finally:
        connection.close()


def asked(connection: Connection, query: str) -> list[tuple[object, ...]]:
    """A query's rows; the transaction stays open."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else []


def writing(world: World, watch: Connection) -> Callable[[], object]:
    """Whether a process of Otzyv is in the middle of a transaction that has written."""
    query = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL "
        "AND pid <> pg_backend_pid()"
    )
    return lambda: asked(watch, query)


@BOTH_WAYS
@pytest.mark.case(9, expected="the transaction is rolled back and done again; nothing committed is lost")
def test_a_database_that_dies_in_the_middle_of_transactions_costs_nothing(world: World) -> None:
    """PostgreSQL is killed by SIGKILL twice and stopped at once by SIGQUIT, each in the middle of transactions."""
    total = 30_000
    with world.running():
        world.send(total)
        kills: tuple[tuple[float, How], ...] = ((0.1, "kill"), (0.3, "immediate"), (0.5, "kill"))
        for share, how in kills:
            world.wait(lambda share=share: world.count("labels") > total * share, "labels")
            with session(world) as watch:
                watch.autocommit = True
                world.wait(writing(world, watch), "a transaction that has written")
                world.postgres.stop(how)
            world.postgres.start()
        assert world.count("labels") < total, "too late: everything was done before"
        world.wait_settled(total)
    recoveries = (
        (world.postgres.folder / "postgres" / "log").read_text().count("automatic recovery in progress")
    )
    assert recoveries >= 3
    world.ledger.note(f"{world.log().count('task.retry')} batches tried again by the worker")
    world.ledger.check()


@BOTH_WAYS
@pytest.mark.case(
    10, expected="nobody exits, health fails, messages stay with RabbitMQ; all goes on afterwards"
)
def test_a_database_that_is_down_for_a_minute_costs_nothing(world: World) -> None:
    """PostgreSQL is killed and down for a minute, while reviews come in and ingest and a worker run."""
    total = 10_000
    with world.running() as (ingest, worker):
        world.send(total)
        world.wait(lambda: world.count("labels") > total * 0.1, "labels")
        world.postgres.stop("kill")
        end = time.monotonic() + A_MINUTE_S
        world.send(total, first=total)
        assert world.run("health").returncode == 75
        world.wait(lambda: time.monotonic() > end, "a minute to pass")
        assert (ingest.poll(), worker.poll()) == (None, None), "they wait, and do not exit"
        world.postgres.start()
        world.wait_settled(2 * total)
        assert world.run("health").returncode == 0
    world.ledger.note(f"{world.log().count('task.retry')} batches tried again by the worker")
    world.ledger.check()


def stored(world: World, reviews: int) -> None:
    """Reviews in the table, their batch in the queue, and nobody at work on it."""
    with world.started("ingest", log="ingest.log"):
        world.send(reviews, in_message=reviews)
        world.wait(lambda: world.count("waiting") == reviews, "the reviews to be stored")


@contextmanager
def disturbed(world: World, setting: str) -> Iterator[tuple[Connection, Connection]]:
    """200 stored reviews in a database with a setting of its own, a session that watches and one that disturbs."""
    stored(world, 200)
    name = world.settings.database_url.split("?")[0].rsplit("/", 1)[1]
    with session(world) as watch, session(world) as other:
        watch.autocommit = True
        asked(watch, f"ALTER DATABASE {name} SET {setting}")
        yield watch, other


ONE = "SELECT FROM waiting WHERE review_id = (SELECT {}(review_id) FROM waiting) FOR UPDATE"
"""Locks the first (min) or last (max) row of the line that a worker locks whole, first to last."""
SOMEBODY_WAITS = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.mark.case(12, expected="the batch is tried again after a pause")
def test_a_worker_that_postgresql_chooses_to_end_a_deadlock_does_its_batch_again(world: World) -> None:
    """A second session locks rows in the opposite order, so that PostgreSQL ends the worker's transaction."""
    with disturbed(world, "deadlock_timeout = '4s'") as (watch, other):
        # Whoever looks for deadlocks first is their victim: this session never looks.
        asked(other, "SET deadlock_timeout = '10min'")
        asked(other, ONE.format("max"))
        with world.started("worker", "cpu", "--processes", "1", log="worker.log"):
            world.wait(lambda: asked(watch, SOMEBODY_WAITS), "the worker to wait for the last row")
            asked(other, ONE.format("min"))
            world.wait(lambda: "deadlock detected" in world.log(), "the worker to be the victim")
            other.rollback()
            world.wait_settled(200)
    assert world.log().count("task.retry") >= 1
    world.ledger.check()


@pytest.mark.case(12, expected="the batch is tried again after a pause")
def test_a_worker_that_cannot_be_serialised_does_its_batch_again(world: World) -> None:
    """Under REPEATABLE READ a second session changes a row that the worker waits for."""
    with disturbed(world, "default_transaction_isolation = 'repeatable read'") as (watch, other):
        asked(
            other, "UPDATE waiting SET sent_at = now() WHERE review_id = (SELECT max(review_id) FROM waiting)"
        )
        with world.started("worker", "cpu", "--processes", "1", log="worker.log"):
            world.wait(lambda: asked(watch, SOMEBODY_WAITS), "the worker to wait for the last row")
            other.commit()
            world.wait_settled(200)
    assert "could not serialize access" in world.log()
    world.ledger.check()


@BOTH_WAYS
@pytest.mark.case(17, expected=f"no process grows by more than {GROWTH_MIB:.0f} MiB")
def test_memory_stays_bounded_while_a_slow_database_meets_a_burst(world: World) -> None:
    """100,000 reviews arrive at once while the database takes 100 KB a second over each connection."""
    total = 100_000
    port = world.postgres.port
    with proxy_to(port) as proxy:
        world.told = {
            "OTZYV_DATABASE_URL": world.settings.database_url.replace(f":{port}/", f":{proxy.port}/")
        }
        with world.running() as (ingest, worker):
            # Models and dictionaries are in memory once a batch of each kind is done.
            world.send(2_000)
            world.wait_settled(2_000)
            pids = [ingest.pid, worker.pid, *children(worker.pid)]
            before = {pid: resident_mib(pid) for pid in pids}
            most = dict(before)

            def sample(fact: Callable[[], object]) -> Callable[[], object]:
                def look() -> object:
                    for pid in pids:
                        most[pid] = max(most[pid], resident_mib(pid))
                    return fact()

                return look

            proxy.bytes_per_second = 100_000
            world.send(total - 2_000, first=2_000)
            world.wait(sample(lambda: world.count("reviews") > 8_000), "the slow database to take some")
            assert world.ledger.queues()["reviews.incoming"] > 500, "the burst waits with RabbitMQ"
            proxy.bytes_per_second = None
            world.wait(sample(lambda: world.settled(total)), f"{total} reviews to be settled", 400)
            world.wait_quiet()
            assert children(worker.pid) == pids[2:], "no child was replaced, so that none hides its memory"
    growth = {pid: most[pid] - before[pid] for pid in pids}
    assert max(growth.values()) < GROWTH_MIB, growth
    assert tables.count(world.database, "failures") == 0
    world.ledger.note(
        f"ingest grew by {growth[ingest.pid]:.0f} MiB to {most[ingest.pid]:.0f} MiB, of the worker's processes the "
        f"worst by {max(growth[pid] for pid in pids[1:]):.0f} MiB to {max(most[pid] for pid in pids[1:]):.0f} MiB"
    )
    world.ledger.check()
