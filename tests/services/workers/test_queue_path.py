"""From a message in a real RabbitMQ to labels in a real PostgreSQL, with the processes a user starts."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from shared.settings import Settings
from shared.store import Database
from tests.support import ledger
from tests.support.processes import EXAMPLES, ROOT, environment, kill, run, running, started
from tests.support.producer import publish, review
from tests.support.row_files import read_rows
from tests.support.servers import PATIENCE_S, RabbitNode, wait_until
from workers.rabbitmq import topology

STORED_FIRST = {"OTZYV_JUDGE_FIRST": "false"}


@pytest.fixture
def logs(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """The folder with the log of `otzyv worker cpu`, which runs."""
    with running(settings, tmp_path):
        yield tmp_path


def settled_or_waiting_elsewhere(database: Database, reviews: int) -> bool:
    """Whether so many reviews are stored, and none of them waits for the keyword stage any more."""
    here = ledger.rows(database, "SELECT count(*) FROM waiting WHERE stage = 'keywords'")[0][0]
    return ledger.count(database, "reviews") == reviews and here == 0


@pytest.mark.everyday
def test_every_review_of_a_file_is_labelled_or_waits_for_the_next_stage_and_twice_changes_no_row(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    chain = settings.model_copy(update={"cascade_stages": "keywords,zero_shot"})
    total = len(read_rows(EXAMPLES))
    with running(chain, tmp_path):
        assert run("enqueue", EXAMPLES, settings=chain).returncode == 0
        wait_until(lambda: settled_or_waiting_elsewhere(database, total), "all past the keyword stage")
        assert ledger.astray(database) == []
        stages = dict(ledger.rows(database, "SELECT stage, count(*) FROM waiting GROUP BY stage"))
        assert list(stages) == ["zero_shot"]
        assert ledger.count(database, "labels") == total - stages["zero_shot"] > 0

        before = ledger.versions(database, "reviews", "waiting", "verdicts", "labels")
        second = run("enqueue", EXAMPLES, "--follow", settings=chain)
        assert "nobody consumes gpu.label.bulk" in second.stderr
        assert second.returncode == 3
        assert ledger.versions(database, "reviews", "waiting", "verdicts", "labels") == before

    batch = re.search(r"batch ([0-9a-f-]{36})", second.stdout)
    assert batch
    shown = run("status", batch[1], settings=chain)
    assert re.search(rf"reviews received\s+{total}\b", shown.stdout)
    assert re.search(r"gpu\.label\.bulk\s+1\s+0\s+0", run("status", settings=chain).stdout)


def test_reviews_that_wait_for_a_stage_taken_out_of_use_end_with_the_best_guess(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    chain = settings.model_copy(update={"cascade_stages": "keywords,zero_shot"})
    with running(chain, tmp_path):
        publish(settings, json.dumps(review(1, "Тростниковая трещотка звучит громко")).encode())
        wait_until(lambda: settled_or_waiting_elsewhere(database, 1), "the review to wait")
    assert ledger.count(database, "waiting") == 1
    alone = settings.model_copy(update={"cascade_stages": "keywords"})
    with running(alone, tmp_path, "worker cpu", "beat", OTZYV_SWEEP_AFTER_S="10"):
        wait_until(lambda: ledger.count(database, "waiting") == 0, "the sweep to settle it")
    assert ledger.rows(database, "SELECT status FROM labels") == [("needs_review",)]
    assert ledger.astray(database) == []


@pytest.mark.everyday
def test_follow_ends_with_success_once_every_review_has_been_settled(
    settings: Settings, database: Database, logs: Path
) -> None:
    done = run("enqueue", EXAMPLES, "--follow", settings=settings)
    assert done.returncode == 0, done.stderr
    statuses = dict(ledger.rows(database, "SELECT status, count(*) FROM labelled_reviews GROUP BY status"))
    assert set(statuses) == {"accepted", "needs_review"}
    assert sum(statuses.values()) == ledger.count(database, "reviews")


@pytest.mark.parametrize("way", [{}, STORED_FIRST], ids=["judged first", "stored first"])
def test_ingest_killed_in_the_middle_loses_nothing_and_doubles_nothing(
    settings: Settings, database: Database, tmp_path: Path, way: dict[str, str]
) -> None:
    total = 20_000
    bodies = [
        json.dumps({"reviews": [review(n) for n in range(start, start + 50)]}).encode()
        for start in range(0, total, 50)
    ]
    publish(settings, *bodies)
    log = tmp_path / "ingest.log"
    kills = 0
    for share in (0.1, 0.3, 0.6):
        with started("ingest", settings=settings, log=log, **way) as process:
            wait_until(lambda share=share: ledger.count(database, "reviews") > total * share, "progress")
            kill(process)
            kills += ledger.count(database, "reviews") < total
    assert kills, "ingest was done before it could be killed"
    with running(settings, tmp_path, **way):
        wait_until(lambda: settled_or_waiting_elsewhere(database, total), "all reviews stored and labelled")
    assert ledger.astray(database) == []
    names = ledger.rows(database, "SELECT count(DISTINCT external_id) FROM reviews")
    assert names == [(total,)]


def test_ingest_stores_what_it_holds_when_it_is_told_to_stop(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    log = tmp_path / "ingest.log"
    with started("ingest", settings=settings, log=log, OTZYV_LINGER_MS="60000") as process:
        wait_until(lambda: "ingest.consuming" in log.read_text(), "ingest to consume")
        publish(settings, json.dumps(review(1)).encode())
        wait_until(lambda: _left(settings) == 0, "the message to be taken")
        assert ledger.count(database, "reviews") == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert ledger.count(database, "reviews") == 1


def _left(settings: Settings) -> int:
    with Connection(settings.amqp_url) as connection:
        return int(
            topology.queue(topology.INCOMING)(connection.channel()).queue_declare(passive=True).message_count
        )


BAD: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "invalid JSON": (b'{"source": "shop", ', {}, "in UTF-8 JSON"),
    "not UTF-8": ('{"source":"s","id":"1","text":"Платье"}'.encode("cp1251"), {}, "UTF-8"),
    "a pickle": (
        b"\x80\x04N.",
        {"content_type": "application/x-python-serialize"},
        "content type application/json",
    ),
    "another charset": (
        json.dumps(review(2)).encode(),
        {"content_type": "application/json; charset=windows-1251"},
        "expected the charset utf-8, found 'windows-1251'",
    ),
    "deep nesting": (b'{"reviews":' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}, "message: expected"),
    "compressed": (
        json.dumps(review(1)).encode(),
        {"headers": {"compression": "application/x-gzip"}},
        "uncompressed",
    ),
    "an encoding that lies": (
        b'{"source": "s", "id": "1", "text": "\\ud800"}',
        {"content_encoding": "unicode_escape"},
        "surrogate",
    ),
    "wrong types": (b'{"source": 1, "id": "1", "text": ["a"]}', {}, "Expected `str`"),
    "no text": (b'{"source": "shop", "id": "1", "text": " "}', {}, "found an empty text"),
    "1 MB text": (json.dumps(review(1, "а" * 1_000_000)).encode(), {}, "found 1000000"),
    "too new": (
        b'{"version": 9, "source": "shop", "id": "1", "text": "a"}',
        {},
        "version: expected 1, found 9",
    ),
}


def test_json_is_stored_by_whatever_media_type_producers_send_it(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    types = (
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "Application/JSON",
        "text/json",
    )
    with running(settings, tmp_path):
        for number, content_type in enumerate((*types, "application/vnd.shop+json")):
            publish(settings, json.dumps(review(number)).encode(), content_type=content_type)
        publish(settings, b"\xef\xbb\xbf" + json.dumps([review(10), review(11)]).encode())
        wait_until(lambda: ledger.count(database, "reviews") == 7, "all to be stored")
    assert ledger.count(database, "failures") == 0


@pytest.mark.everyday
def test_bad_messages_end_with_their_reason_in_failures_and_in_the_rejected_queue(
    settings: Settings, database: Database, logs: Path
) -> None:
    for body, properties, _ in BAD.values():
        publish(settings, body, **properties)
    mixed = {"reviews": [review(7), {"source": "shop", "id": "8", "text": ""}, review(9)]}
    publish(settings, json.dumps(mixed).encode())
    wait_until(lambda: settled_or_waiting_elsewhere(database, 2), "the good neighbours to be labelled")
    wait_until(lambda: ledger.count(database, "failures") == len(BAD) + 1, "all others to be refused")
    reasons = [row[0] for row in ledger.rows(database, "SELECT reason FROM failures ORDER BY id")]
    for name, (_, _, sentence) in BAD.items():
        assert any(sentence in reason for reason in reasons), name
    kept = _rejected(settings, len(BAD) + 1)
    assert {body for body, _, _ in BAD.values()} <= {body for body, _ in kept}
    assert all(reason for _, reason in kept)
    assert ledger.astray(database) == []


def _rejected(settings: Settings, expected: int) -> list[tuple[bytes, str]]:
    with Connection(settings.amqp_url) as connection:
        queue = topology.dead_letter_queue(topology.INCOMING)(connection.channel())
        # They are put there after the rows about them are stored.
        wait_until(
            lambda: queue.queue_declare(passive=True).message_count == expected,
            f"{expected} rejected messages",
        )
        messages = [queue.get() for _ in range(expected)]
        assert queue.get() is None
        return [
            (bytes(m.body) if not isinstance(m.body, str) else m.body.encode(), m.headers["reason"])
            for m in messages
        ]


@pytest.mark.everyday
def test_the_publisher_in_examples_is_understood(settings: Settings, database: Database, logs: Path) -> None:
    wait_until(lambda: "ingest.consuming" in (logs / "cpu.log").read_text(), "the worker to consume")
    shown = subprocess.run(
        [sys.executable, ROOT / "examples" / "publish.py"],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    wait_until(lambda: settled_or_waiting_elsewhere(database, 3), "its three reviews to be labelled")
    assert ledger.count(database, "failures") == 0


def test_a_message_that_got_lost_is_sent_again_by_the_sweep(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    with started("ingest", settings=settings, log=tmp_path / "ingest.log", **STORED_FIRST):
        publish(settings, json.dumps(review(1)).encode())
        wait_until(lambda: ledger.count(database, "waiting") == 1, "the review to be stored")
    with Connection(settings.amqp_url) as connection:
        assert topology.queue(topology.STAGE_QUEUES["cpu.keywords"])(connection.channel()).purge() == 1
    with database.transaction() as cursor:
        cursor.execute("UPDATE waiting SET sent_at = now() - interval '1 hour'")
    with running(settings, tmp_path, "worker cpu", "beat", OTZYV_SWEEP_AFTER_S="10"):
        wait_until(lambda: settled_or_waiting_elsewhere(database, 1), "the sweep to find the review")


def test_a_full_queue_behind_ingest_rejects_nothing(
    settings: Settings, database: Database, rabbit: RabbitNode, tmp_path: Path
) -> None:
    publish(settings, *(json.dumps({"reviews": [review(n)]}).encode() for n in range(300)))
    rabbit.limit(settings.amqp_url, "cpu.keywords", 1)
    more = {"OTZYV_BATCH_ROWS": "20", **STORED_FIRST}
    with started("ingest", settings=settings, log=tmp_path / "ingest.log", **more):
        wait_until(
            lambda: (tmp_path / "ingest.log").read_text().count("a queue is at its limit") >= 3,
            "full queue",
        )
        assert (tmp_path / "ingest.log").read_text().count("ingest.consuming") == 1, "it kept its connection"
        rabbit.limit(settings.amqp_url, "cpu.keywords", None)
        with started("worker", "cpu", settings=settings, log=tmp_path / "worker.log", **STORED_FIRST):
            wait_until(lambda: settled_or_waiting_elsewhere(database, 300), "everything labelled")
    assert ledger.astray(database) == []
    assert _rejected(settings, 0) == []


def test_a_batch_is_labelled_by_the_taxonomy_it_was_stored_for(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text("name: other\ncategories: [{slug: dress, title: платья, keywords: [платье]}]\n")
    more = {"OTZYV_TAXONOMY": str(theirs), **STORED_FIRST}
    with (
        started("ingest", settings=settings, log=tmp_path / "ingest.log", **STORED_FIRST),
        started("worker", "cpu", settings=settings, log=tmp_path / "worker.log", **more),
    ):
        publish(settings, json.dumps(review(1)).encode())
        wait_until(lambda: ledger.count(database, "labels") == 1, "the label")
    assert ledger.rows(database, "SELECT category, taxonomy FROM labelled_reviews") == [
        ("clothes", "marketplace")
    ]


def test_two_ingests_and_two_workers_share_what_comes(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    publish(
        settings,
        *(
            json.dumps({"reviews": [review(n % 700) for n in range(s, s + 100)]}).encode()
            for s in range(0, 2_000, 100)
        ),
    )
    with (
        started("ingest", settings=settings, log=tmp_path / "ingest1.log"),
        started("ingest", settings=settings, log=tmp_path / "ingest2.log"),
        started("worker", "cpu", "--name", "one", settings=settings, log=tmp_path / "worker1.log"),
        started("worker", "cpu", "--name", "two", settings=settings, log=tmp_path / "worker2.log"),
    ):
        wait_until(lambda: settled_or_waiting_elsewhere(database, 700), "every review labelled")
    assert ledger.astray(database) == []


def test_a_second_worker_on_a_machine_gets_a_name_of_its_own(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    here = socket.gethostname()
    with started("worker", "cpu", settings=settings, log=logs[0]):
        wait_until(lambda: f"cpu@{here} ready" in logs[0].read_text(), "the first worker")
        with started("worker", "cpu", settings=settings, log=logs[1]):
            wait_until(lambda: f"cpu-2@{here} ready" in logs[1].read_text(), "the second worker")
        refused = run("worker", "cpu", "--name", "cpu", settings=settings)
    assert refused.returncode == 2
    assert f"expected a name that no other worker has, found that cpu@{here} is at work" in refused.stderr


def test_workers_that_start_together_get_names_of_their_own(settings: Settings, tmp_path: Path) -> None:
    logs = [tmp_path / f"{number}.log" for number in range(3)]
    with ExitStack() as stack:
        for log in logs:
            stack.enter_context(started("worker", "cpu", settings=settings, log=log))
        for log in logs:
            wait_until(lambda: re.search(r"(cpu\S*) ready", log.read_text()), "a worker")  # noqa: B023
    names = {re.findall(r"(cpu\S*)@\S+ ready", log.read_text())[0] for log in logs}
    assert names == {"cpu", "cpu-2", "cpu-3"}


@pytest.mark.everyday
def test_health_tells_whether_broker_database_and_worker_answer(
    settings: Settings, logs: Path, tmp_path: Path
) -> None:
    wait_until(lambda: run("health", "--worker", settings=settings).returncode == 0, "the worker to answer")
    away = settings.model_copy(update={"amqp_url": "amqp://guest:guest@127.0.0.1:1//"})
    failed = run("health", settings=away)
    assert failed.returncode == 75
    assert "RabbitMQ did not answer" in failed.stderr


def test_without_a_database_enqueue_still_sends_and_the_rest_says_so(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "postgresql://postgres@127.0.0.1:1/otzyv"})
    assert run("enqueue", EXAMPLES, settings=away).returncode == 0
    for command in (("status",), ("ingest",), ("worker", "cpu"), ("health",), ("db", "upgrade")):
        failed = run(*command, settings=away)
        assert failed.returncode == 75, command
        assert "PostgreSQL did not finish" in failed.stderr
        assert "Traceback" not in failed.stderr


@pytest.mark.everyday
def test_a_queue_declared_with_other_arguments_is_reported_and_not_used(settings: Settings) -> None:
    with Connection(settings.amqp_url) as connection:
        topology.INCOMING.exchange(connection.channel()).declare()
        connection.channel().queue_declare(topology.INCOMING.queue, durable=True, auto_delete=False)
    failed = run("worker", "cpu", settings=settings)
    assert failed.returncode == 2
    assert "drain and delete that queue" in failed.stderr


def file_of(folder: Path, reviews: int) -> Path:
    path = folder / "many.jsonl"
    path.write_text("".join(json.dumps(review(n)) + "\n" for n in range(reviews)))
    return path


def test_enqueue_waits_for_a_full_queue_and_says_so(
    settings: Settings, database: Database, rabbit: RabbitNode, tmp_path: Path
) -> None:
    rabbit.limit(settings.amqp_url, "reviews.incoming.bulk", 2)
    many = file_of(tmp_path, 60)
    log = tmp_path / "enqueue.log"
    with started("enqueue", str(many), settings=settings, log=log, OTZYV_BATCH_ROWS="1") as sender:
        wait_until(lambda: "consumes it: start `otzyv worker cpu`" in log.read_text(), "it to slow down")
        with started("worker", "cpu", settings=settings, log=tmp_path / "worker.log"):
            assert sender.wait(PATIENCE_S) == 0
            wait_until(lambda: ledger.count(database, "reviews") == 60, "everything stored")
    told = log.read_text()
    assert "slowed down: reviews.incoming.bulk is full with" in told
    assert "going on: after" in told
    assert "sent 60 reviews" in told


def test_enqueue_gives_up_on_a_queue_that_takes_nothing(
    settings: Settings, rabbit: RabbitNode, tmp_path: Path
) -> None:
    rabbit.limit(settings.amqp_url, "reviews.incoming.bulk", 1)
    many = file_of(tmp_path, 10)
    failed = run("enqueue", many, "--patience", "0", settings=settings, OTZYV_BATCH_ROWS="1")
    assert failed.returncode == 75
    assert "it took nothing for 0 s" in failed.stderr
    assert "sending the same file again is safe" in failed.stderr
