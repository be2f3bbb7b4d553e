"""A PostgreSQL behind PgBouncer: a real one, in transaction mode, with several connections to the server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from shared.errors import ConfigurationError
from shared.store import Database, gpu_claims, streams
from shared.store.postgres import schema
from tests.support.pgbouncer import pgbouncer
from tests.support.servers import database_of, wait_until

TRANSACTIONS = "pool_mode = transaction\nignore_startup_parameters = options\nserver_round_robin = 1"
READER = """
import sys, time
from shared.store import Database, streams
with streams.claim(Database(sys.argv[1]), "orders") as claim:
    print(claim.take(), file=sys.stderr)
    time.sleep(600)
"""


@pytest.fixture
def pooled(database_url: str) -> Iterator[str]:
    with pgbouncer(database_url, TRANSACTIONS) as url:
        yield url


def shown(database: Database, setting: str) -> str:
    with database.transaction() as cursor:
        cursor.execute("SELECT current_setting(%s)", (setting,))
        return str(cursor.fetchone()[0])


def test_a_pgbouncer_that_refuses_options_is_a_wrong_set_up(database_url):
    with (
        pgbouncer(database_url, "pool_mode = transaction") as url,
        pytest.raises(ConfigurationError) as raised,
    ):
        Database(url).ping()
    assert "unsupported startup parameter: options" in str(raised.value)
    assert "ignore_startup_parameters" in str(raised.value)


def test_settings_that_a_pooler_drops_are_set_in_every_transaction_and_leave_nothing_behind(pooled):
    ours, plain = (
        Database(pooled, statement_timeout_s=7, by_keys=True),
        Database(pooled, statement_timeout_s=60),
    )
    with capture_logs() as logs:
        for _ in range(3):
            assert shown(ours, "statement_timeout") == "7s"
            assert shown(ours, "timezone") == "UTC"
            assert shown(ours, "enable_seqscan") == "off"
            assert shown(plain, "statement_timeout") == "1min"
            assert shown(plain, "enable_seqscan") == "on"
    assert [line["event"] for line in logs] == ["database.options_dropped"] * 2
    ours.close()
    plain.close()


def test_a_stream_has_one_reader_and_a_killed_one_leaves_it_free(pooled):
    with subprocess.Popen([sys.executable, "-c", READER, pooled], stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        assert first.stderr.readline() == "True\n"
        with streams.claim(Database(pooled), "orders") as second, Database(pooled).transaction():
            assert not second.take()
            second.check()
            os.kill(first.pid, signal.SIGKILL)
            wait_until(second.take, "the stream of a killed reader")
    with streams.claim(Database(pooled), "orders") as third:
        assert third.take()


def test_a_gpu_that_is_given_back_can_be_had_by_training(pooled):
    def waiting() -> None:
        raise TimeoutError("it is taken")

    database = Database(pooled)
    with gpu_claims.claimed(database, "GPU-1", "labelling", waiting):
        # It looks again after a while in which other sessions came and went.
        database.ping()
        with (
            pytest.raises(TimeoutError),
            gpu_claims.claimed(database, "GPU-1", "training", waiting, look_s=1.0),
        ):
            pass
    with gpu_claims.claimed(database, "GPU-1", "training", lambda: None):
        pass
    database.close()


def test_two_upgrades_one_after_the_other_do_not_wait_for_a_lock_that_nobody_holds(postgres):
    with database_of(postgres) as url, pgbouncer(url, TRANSACTIONS) as pooled:
        told: list[str] = []
        for _ in range(3):
            schema.upgrade(Database(pooled), tell=told.append)
        schema.check(Database(pooled))
    assert told == []
