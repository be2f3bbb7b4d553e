"""From a message in a real RabbitMQ to predictions in a real PostgreSQL, with champions that change meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: `make models`")

from kombu import Connection

from shared.serving.registry import Registry
from shared.settings import Settings
from shared.store import Database
from tests.support import ledger, processes
from tests.support.processes import kill, run, started
from tests.support.producer import publish, review
from tests.support.servers import wait_until
from tests.support.tiny_registry import Models

IN_MESSAGE = 50


def running(settings: Settings, folder: Path, *commands: str) -> AbstractContextManager[object]:
    """A CPU worker of two processes, and whatever else is asked for."""
    return processes.running(settings, folder, "worker cpu", *commands, **env(folder))


def env(folder: Path) -> dict[str, str]:
    return {"OTZYV_MODELS": str(folder / "models"), "OTZYV_WORKER_PROCESSES": "2"}


def messages(first: int, count: int) -> list[bytes]:
    return [
        json.dumps(
            {"reviews": [review(n, f"Платье номер {n}") for n in range(start, start + IN_MESSAGE)]}
        ).encode()
        for start in range(first, first + count, IN_MESSAGE)
    ]


def command(settings: Settings, folder: Path, *arguments: str) -> str:
    done = run("models", *arguments, settings=settings, **env(folder))
    assert done.returncode == 0, done.stderr
    return done.stdout


def backfill(settings: Settings, folder: Path, model: int, *options: str) -> str:
    done = run("backfill", "--model", str(model), *options, settings=settings, **env(folder))
    assert done.returncode == 0, done.stderr
    return done.stdout


Serving = tuple[Registry, dict[str, int]]


@pytest.fixture
def serving(database: Database, tiny: Models, tmp_path: Path) -> Serving:
    """A registry whose first model is champion, and the numbers of all three."""
    registry, numbers = tiny.registry(database, tmp_path / "models")
    registry.promote(numbers["first"], "champion", moved_by="test")
    return registry, numbers


@contextmanager
def predicted(settings: Settings, database: Database, folder: Path, reviews: int) -> Iterator[None]:
    """The processes, when they have so many predictions of the champion behind them."""
    with running(settings, folder):
        publish(settings, *messages(0, reviews))
        wait_until(lambda: whole(database, reviews), "the predictions of the champion")
        yield


def whole(database: Database, reviews: int) -> bool:
    return (
        ledger.count(database, "predictions") == reviews
        and ledger.count(database, "awaiting_prediction") == 0
    )


@pytest.mark.everyday
def test_reviews_wait_for_the_first_champion_and_are_predicted_as_soon_as_there_is_one(
    settings: Settings, database: Database, tiny: Models, tmp_path: Path
) -> None:
    _, numbers = tiny.registry(database, tmp_path / "models")
    with running(settings, tmp_path):
        publish(settings, *messages(0, 200))
        parked = "SELECT count(*) FROM awaiting_prediction WHERE sent_at IS NULL"
        wait_until(lambda: ledger.rows(database, parked) == [(200,)], "all to wait for a champion")
        assert ledger.count(database, "failures") == 0
        told = command(settings, tmp_path, "promote", str(numbers["first"]))
        assert "200 reviews waited for a champion" in told
        wait_until(lambda: whole(database, 200), "all predictions")
    assert "ERROR" not in (tmp_path / "cpu.log").read_text()


def test_a_champion_that_changes_under_load_loses_and_doubles_nothing(
    settings: Settings, database: Database, serving: Serving, tmp_path: Path
) -> None:
    registry, numbers = serving
    with running(settings, tmp_path):
        publish(settings, *messages(0, 1_000))
        wait_until(lambda: ledger.count(database, "predictions") > 0, "the first predictions")
        registry.promote(numbers["second"], "champion", moved_by="test")
        sent = 3_000
        publish(settings, *messages(1_000, sent - 1_000))
        wait_until(lambda: whole(database, sent), "all predictions")
    shares = dict(ledger.rows(database, "SELECT model_id, count(*) FROM predictions GROUP BY 1"))
    assert set(shares) == {numbers["first"], numbers["second"]}
    assert sum(shares.values()) == ledger.count(database, "reviews") == sent
    later = ledger.rows(
        database,
        "SELECT DISTINCT model_id FROM predictions JOIN reviews r ON r.id = review_id "
        "WHERE external_id::int >= 1000",
    )
    assert later == [(numbers["second"],)], "what came after the promotion is all by the new champion"
    assert registry.rollback(moved_by="test") == numbers["first"]


def test_a_worker_that_is_killed_while_it_predicts_loses_and_doubles_nothing(
    settings: Settings, database: Database, serving: Serving, tmp_path: Path
) -> None:
    registry, numbers = serving
    registry.promote(numbers["second"], "challenger", moved_by="test")
    publish(settings, *messages(0, 5_000))
    with started("worker", "cpu", settings=settings, log=tmp_path / "cpu.log", **env(tmp_path)) as worker:
        wait_until(lambda: ledger.count(database, "predictions") > 500, "the first predictions")
        kill(worker)
    assert ledger.count(database, "predictions") < 10_000, "the worker was done before it could be killed"
    with started("worker", "cpu", settings=settings, log=tmp_path / "cpu2.log", **env(tmp_path)):
        wait_until(lambda: whole(database, 10_000), "two predictions of each review")
    pairs = "SELECT count(*), count(DISTINCT review_id), count(DISTINCT model_id) FROM predictions"
    assert ledger.rows(database, pairs) == [(10_000, 5_000, 2)]
    assert ledger.astray(database) == []


def test_a_lost_message_is_found_by_the_sweep(
    settings: Settings, database: Database, serving: Serving, tmp_path: Path
) -> None:
    stored_first = {"OTZYV_JUDGE_FIRST": "false"}
    with started("ingest", settings=settings, log=tmp_path / "ingest.log", **stored_first):
        publish(settings, *messages(0, 100))
        wait_until(lambda: ledger.count(database, "awaiting_prediction") == 100, "the reviews")
    purge(settings)
    with database.transaction() as cursor:
        cursor.execute("UPDATE awaiting_prediction SET sent_at = now() - interval '1 hour'")
    with running(settings, tmp_path, "beat"):
        wait_until(lambda: whole(database, 100), "the sweep to send them again")


def purge(settings: Settings, queue: str = "cpu.classify") -> None:
    """Lose every message of a queue."""
    with Connection(settings.amqp_url) as connection, connection.channel() as channel:
        channel.queue_purge(queue)


def test_a_backfill_predicts_stored_reviews_anew_and_lets_live_ones_go_first(
    settings: Settings, database: Database, serving: Serving, tmp_path: Path
) -> None:
    _, numbers = serving
    with predicted(settings, database, tmp_path, 2_000):
        told = backfill(settings, tmp_path, numbers["second"], "--follow")
        assert "all stored reviews have predictions of that model" in told
        models = "SELECT model_id, count(*) FROM predictions GROUP BY 1 ORDER BY 1"
        both = [(numbers["first"], 2_000), (numbers["second"], 2_000)]
        assert ledger.rows(database, models) == both
        before = ledger.versions(database, "predictions")
        backfill(settings, tmp_path, numbers["second"], "--follow")
        assert ledger.versions(database, "predictions") == before
    unknown = run("backfill", "--model", "99", settings=settings, **env(tmp_path))
    assert (unknown.returncode, "Traceback" in unknown.stderr) == (2, False)


def test_a_backfill_survives_a_killed_worker_and_a_lost_message(
    settings: Settings, database: Database, serving: Serving, tmp_path: Path
) -> None:
    _, numbers = serving
    with predicted(settings, database, tmp_path, 3_000):
        pass
    backfill(settings, tmp_path, numbers["third"])
    by_third = f"SELECT count(*) FROM predictions WHERE model_id = {numbers['third']}"
    small = env(tmp_path) | {"OTZYV_BATCH_ROWS": "20"}
    with started("worker", "cpu", settings=settings, log=tmp_path / "cpu2.log", **small) as worker:
        wait_until(lambda: ledger.rows(database, by_third)[0][0] > 100, "the first predictions")
        kill(worker)
    assert ledger.rows(database, by_third)[0][0] < 3_000
    purge(settings, "cpu.backfill")
    with database.transaction() as cursor:
        cursor.execute("UPDATE backfill_parts SET at = now() - interval '1 hour'")
    with running(settings, tmp_path, "beat"):
        wait_until(lambda: ledger.rows(database, by_third) == [(3_000,)], "the backfill to be through")
