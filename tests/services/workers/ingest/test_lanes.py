"""Two lanes: a backlog that somebody enqueued does not stand before what comes by itself."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest
from kombu import Connection, Queue

from shared.settings import Settings
from shared.store import Database
from tests.support import ledger
from tests.support.batches import brittle_worker
from tests.support.processes import run, running, started
from tests.support.producer import publish
from tests.support.servers import RabbitNode, wait_until
from workers.rabbitmq import topology
from workers.rabbitmq.publisher import Publisher
from workers.rabbitmq.topology import LANES, Lane

SURE, UNSURE, POISON, PASSING = "Платье село отлично", "Хорошо", "яд", "сеть"


def wire(name: str, text: str) -> dict[str, object]:
    return {"source": "shop", "id": name, "text": text}


def enqueue(settings: Settings, lane: Lane, reviews: Iterable[dict[str, object]]) -> None:
    """Publish reviews, up to 500 in a message."""
    rows = list(reviews)
    with Publisher(settings, lane=lane) as publisher:
        groups = [rows[at : at + 500] for at in range(0, len(rows), 500)]
        assert sum(sent.reviews for sent in publisher.send(uuid.uuid4(), "test", groups)) == len(rows)


def ready(settings: Settings, line: topology.QueueSpec) -> dict[Lane, int]:
    """Messages that wait in each lane of a line."""
    with Connection(settings.amqp_url) as connection:
        topology.declare(connection)
        channel = connection.channel()
        return {
            lane: topology.queue(topology.in_lane(line, lane))(channel)
            .queue_declare(passive=True)
            .message_count
            for lane in LANES
        }


LABELS = "FROM labels l JOIN reviews r ON r.id = l.review_id WHERE r.external_id LIKE %s"


def labelled(database: Database, pattern: str, before: str | None = None) -> int:
    """Labels of reviews with such names; only those that were there before the last label of others."""
    if before is None:
        return int(ledger.rows(database, f"SELECT count(*) {LABELS}", pattern)[0][0])
    query = f"SELECT count(*) {LABELS} AND l.at < (SELECT max(l.at) {LABELS})"
    return int(ledger.rows(database, query, pattern, before)[0][0])


@pytest.mark.everyday
def test_a_review_that_comes_by_itself_is_labelled_while_a_backlog_waits(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    backlog = 20_000
    enqueue(settings, "bulk", (wire(f"bulk {number}", SURE) for number in range(backlog)))
    publish(settings, *(json.dumps(wire(f"live {number}", SURE)).encode() for number in range(3)))
    with running(settings, tmp_path, OTZYV_WORKER_PROCESSES="1"):
        wait_until(lambda: labelled(database, "%") == backlog + 3, "all of them")
    assert labelled(database, "bulk %", before="live %") < backlog / 2
    assert ledger.astray(database) == []


@pytest.mark.parametrize(
    ("command", "judge_first", "line"),
    [("worker cpu", "true", topology.GPU_LABEL), ("ingest", "false", topology.STAGE_QUEUES["cpu.keywords"])],
    ids=["judged first", "stored first"],
)
def test_a_full_bulk_queue_does_not_stop_the_live_lane(
    settings: Settings, rabbit: RabbitNode, database: Database, tmp_path: Path,
    command: str, judge_first: str, line: topology.QueueSpec,
) -> None:  # fmt: skip
    chain = settings.model_copy(update={"cascade_stages": "keywords,zero_shot"})
    full = topology.in_lane(line, "bulk").queue
    rabbit.limit(settings.amqp_url, full, 1)
    log, more = tmp_path / "log", {"OTZYV_JUDGE_FIRST": judge_first, "OTZYV_WORKER_PROCESSES": "1"}
    with started(*command.split(), settings=chain, log=log, **more):
        enqueue(settings, "bulk", (wire(f"bulk {number}", UNSURE) for number in range(5_000)))
        wait_until(lambda: "ingest.waiting" in log.read_text(), "the bulk lane to be full")
        publish(settings, *(json.dumps(wire(f"live {number}", UNSURE)).encode() for number in range(10)))
        wait_until(lambda: ready(settings, line)["live"] > 0, "the live ones")
        wait_until(lambda: len(names(database, "live %")) == 10, "all ten of them")
        assert len(names(database, "bulk %")) < 5_000
        rabbit.limit(settings.amqp_url, full, None)
        wait_until(lambda: len(names(database, "bulk %")) == 5_000, "the bulk lane to go on")


def test_after_an_outage_what_is_held_is_stored_in_parts(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    log = tmp_path / "ingest.log"
    with database.transaction() as cursor:
        cursor.execute("LOCK TABLE reviews")  # PostgreSQL is busy for as long as messages come
        with started("ingest", settings=settings, log=log, OTZYV_STATEMENT_TIMEOUT_S="1"):
            wait_until(lambda: "ingest.consuming" in log.read_text(), "ingest")
            publish(
                settings,
                *(
                    json.dumps({"reviews": [wire(f"{start + n}", SURE) for n in range(500)]}).encode()
                    for start in range(0, 20_000, 500)
                ),
            )
            wait_until(lambda: log.read_text().count("ingest.waiting") >= 2, "ingest to wait")
            cursor.connection.commit()
            wait_until(lambda: len(names(database, "%")) == 20_000, "all of them")
    most = max(int(found) for found in re.findall(r"ingest\.stored .* reviews=(\d+)", log.read_text()))
    assert 500 < most <= 5_000


def names(database: Database, pattern: str) -> list[str]:
    found = ledger.rows(database, "SELECT external_id FROM reviews WHERE external_id LIKE %s", pattern)
    return [row[0] for row in found]


def test_what_follows_from_a_message_goes_by_its_lane(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    chain = settings.model_copy(update={"cascade_stages": "keywords,zero_shot"})
    enqueue(chain, "bulk", [wire("bulk", UNSURE)])
    with running(chain, tmp_path):
        wait_until(lambda: ready(chain, topology.GPU_LABEL) == {"live": 0, "bulk": 1}, "the bulk one")
        publish(chain, json.dumps(wire("live", UNSURE)).encode())
        wait_until(lambda: ready(chain, topology.GPU_LABEL) == {"live": 1, "bulk": 1}, "the live one")


@pytest.mark.parametrize("judge_first", ["true", "false"], ids=["judged first", "stored first"])
def test_retries_and_the_halves_of_a_batch_stay_in_the_bulk_lane(
    settings: Settings, database: Database, tmp_path: Path, judge_first: str
) -> None:
    chosen = settings.model_copy(update={"cascade_stages": "keywords"})
    texts = [SURE, PASSING, SURE, POISON]
    enqueue(chosen, "bulk", (wire(str(number), text) for number, text in enumerate(texts)))
    live = topology.STAGE_QUEUES["cpu.keywords"]
    with Connection(chosen.amqp_url) as connection:
        topology.declare(connection)
        # A copy of whatever goes by the live lane, a delayed retry included, whose key has more before it.
        copies = Queue("copies", topology.TASKS, f"#.{live.routing_key}", durable=True)(connection.channel())
        copies.declare()
        way = {"OTZYV_JUDGE_FIRST": judge_first}
        with ExitStack() as stack:
            if judge_first == "false":
                stack.enter_context(running(chosen, tmp_path, "ingest", **way))
            stack.enter_context(brittle_worker(chosen, tmp_path, **way))
            wait_until(lambda: ledger.count(database, "labels") == 3, "all but the poisonous one")
            wait_until(lambda: ledger.count(database, "failures") == 1, "that one")
            # Before the worker is killed: what it has not acknowledged by then comes back.
            assert ready(chosen, live)["bulk"] == 0, (tmp_path / "worker.log").read_text()
        strayed = copies.get(no_ack=True)
        assert strayed is None, (strayed.delivery_info, strayed.headers, strayed.body)


def test_a_file_goes_by_the_bulk_lane_unless_it_is_said_to_be_live(
    settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "reviews.csv"
    file.write_text("text\nПлатье село отлично\n", encoding="utf-8")
    assert run("enqueue", file, settings=settings).returncode == 0
    assert ready(settings, topology.INCOMING) == {"live": 0, "bulk": 1}
    assert run("enqueue", file, "--live", settings=settings).returncode == 0
    assert ready(settings, topology.INCOMING) == {"live": 1, "bulk": 1}
