"""What RabbitMQ protests against while a process consumes: it says what happened, begins anew, and loses nothing."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from shared.settings import Settings
from shared.store import Database
from tests.support import ledger, streams
from tests.support.chat_endpoint import Reply, chat_endpoint, chosen, options_in
from tests.support.processes import running, started
from tests.support.producer import publish, review
from tests.support.servers import PATIENCE_S, RabbitNode, execute, wait_until
from workers.rabbitmq.queue_states import queue_states

STREAM = "shop.reviews"
LATE = r"406 PRECONDITION_FAILED.*longer than the broker's consumer_timeout of 2 s"


def messages(count: int) -> list[bytes]:
    return [json.dumps(review(number)).encode() for number in range(count)]


@contextmanager
def away(postgres: str, database_url: str) -> Iterator[None]:
    """Nobody gets into the database, and whoever was in it is out."""
    name = database_url.split("?")[0].rsplit("/", 1)[-1]
    execute(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    execute(postgres, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    try:
        yield
    finally:
        execute(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@contextmanager
def locked(database_url: str) -> Iterator[None]:
    """Nobody gets at the reviews."""
    connection = psycopg2.connect(database_url)
    try:
        connection.cursor().execute("LOCK TABLE reviews")
        yield
    finally:
        connection.close()


@pytest.mark.parametrize("command", ["worker cpu", "ingest"])
def test_who_takes_reviews_in_outlives_a_database_that_is_away_for_longer_than_the_consumer_timeout(
    settings: Settings, database: Database, postgres: str, rabbit: RabbitNode, tmp_path: Path, command: str
) -> None:
    log = tmp_path / "log"
    with rabbit.consumer_timeout(2), started(*command.split(), settings=settings, log=log) as process:
        wait_until(lambda: "ingest.consuming" in log.read_text(), command)
        with away(postgres, settings.database_url):
            publish(settings, *messages(10))
            wait_until(lambda: re.search(LATE, log.read_text()), "RabbitMQ to protest")
        wait_until(lambda: ledger.count(database, "reviews") == 10, "the reviews")
        assert process.poll() is None
    if command == "ingest":  # Celery tells of each try in its own words
        assert "held_messages" in log.read_text()
        assert "Traceback" not in log.read_text()


def test_a_reader_of_a_stream_outlives_a_transaction_that_takes_longer_than_the_consumer_timeout(
    settings: Settings, database: Database, rabbit: RabbitNode, tmp_path: Path
) -> None:
    log = tmp_path / "ingest.log"
    streams.declare(settings.amqp_url, STREAM)
    words = ("ingest", "--stream", STREAM)
    with rabbit.consumer_timeout(2), started(*words, settings=settings, log=log) as process:
        wait_until(lambda: "ingest.consuming" in log.read_text(), "ingest")
        before = len(rabbit.log)
        with locked(settings.database_url):
            streams.publish(settings.amqp_url, STREAM, messages(10))
            wait_until(lambda: "timed out" in rabbit.log[before:], "RabbitMQ to protest")
        wait_until(lambda: re.search(LATE, log.read_text()), "ingest to say so")
        streams.publish(settings.amqp_url, STREAM, messages(20)[10:])
        wait_until(lambda: ledger.count(database, "reviews") == 20, "the reviews")
        assert process.poll() is None
    assert "Traceback" not in log.read_text()


def test_a_gpu_worker_outlives_a_batch_that_takes_longer_than_the_consumer_timeout(
    settings: Settings, database: Database, rabbit: RabbitNode, tmp_path: Path
) -> None:
    enough = threading.Event()

    def model(request: dict[str, Any]) -> Reply:
        enough.wait(PATIENCE_S)
        return chosen(request, options_in(request)["обувь"])

    two = settings.model_copy(update={"cascade_stages": "keywords,llm"})
    log = tmp_path / "gpu.log"
    with chat_endpoint(model) as endpoint, rabbit.consumer_timeout(2):
        more = {"OTZYV_LLM_URL": endpoint.url, "OTZYV_LLM_MODEL": "test"}
        with running(two, tmp_path, "worker cpu", "worker gpu", **more) as processes:
            vague = [review(number, f"Тростниковая трещотка номер {number}") for number in range(3)]
            publish(two, json.dumps({"reviews": vague}).encode())
            wait_until(lambda: re.search(f"worker.reconnect.*{LATE}", log.read_text()), "RabbitMQ to protest")
            enough.set()
            wait_until(lambda: ledger.count(database, "labels") == 3, "labels")
            assert [process.poll() for process in processes] == [None] * 2
    assert ledger.astray(database) == []
    assert ledger.count(database, "failures") == 0


@pytest.mark.parametrize(
    ("judge_first", "taking"), [("true", "cpu"), ("false", "ingest")], ids=["judged first", "stored first"]
)
def test_a_queue_that_is_deleted_under_its_consumer_is_named_declared_anew_and_consumed(
    settings: Settings, database: Database, rabbit: RabbitNode, tmp_path: Path, judge_first: str, taking: str
) -> None:
    two = settings.model_copy(update={"cascade_stages": "keywords"})
    host = settings.amqp_url.rpartition("/")[2]
    ended = "RabbitMQ has ended the consumer of {} (basic.cancel)"
    with running(two, tmp_path, OTZYV_JUDGE_FIRST=judge_first):
        for number, (name, process) in enumerate((("reviews.incoming", taking), ("cpu.keywords", "cpu")), 1):
            # Celery drops what comes in the first tenth of a second of a connection, word of an end included.
            publish(two, *messages(number))
            wait_until(lambda n=number: ledger.count(database, "labels") == n, "a label: all are at work")
            log = tmp_path / f"{process}.log"
            wait_until(lambda name=name: consumers(settings, name), f"a consumer of {name}")
            rabbit.api("DELETE", f"/api/queues/{host}/{name}")
            wait_until(lambda name=name, log=log: ended.format(name) in log.read_text(), f"word of {name}")
            wait_until(lambda name=name: consumers(settings, name), f"another consumer of {name}")
        publish(two, *messages(5))
        wait_until(lambda: ledger.count(database, "labels") == 5, "labels")
    assert "None2" not in (tmp_path / f"{taking}.log").read_text()


def consumers(settings: Settings, queue: str) -> int:
    return sum(state.consumers for state in queue_states(settings) if state.line.queue == queue)
