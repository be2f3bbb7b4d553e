"""CPU workers take in what producers publish: nobody sees a text on the way, and nothing is lost by what people do."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kombu import Connection, Exchange, Queue

from shared.settings import Settings
from shared.store import Database
from tests.support import ledger
from tests.support.processes import environment, module, running, started
from tests.support.producer import publish, review
from tests.support.servers import wait_until
from workers.rabbitmq import topology

TELLING = "Платье Совершенно-Тайное село отлично"


def bodies(count: int, in_message: int = 50, text: str = "Платье село отлично") -> list[bytes]:
    numbers = range(0, count, in_message)
    return [
        json.dumps({"reviews": [review(n, text) for n in range(at, min(count, at + in_message))]}).encode()
        for at in numbers
    ]


def labelled(database: Database, count: int) -> bool:
    return ledger.count(database, "labels") == count and ledger.count(database, "waiting") == 0


@contextmanager
def heard(settings: Settings) -> Iterator[Callable[[], str]]:
    """All events that workers send meanwhile, as Flower gets them."""
    with Connection(settings.amqp_url) as connection:
        channel = connection.channel()
        Exchange("celeryev", type="topic")(channel).declare()
        queue = Queue("heard", Exchange("celeryev", type="topic"), "#", exclusive=True)(channel)
        queue.declare()
        told: list[str] = []

        def so_far() -> str:
            while (message := queue.get(no_ack=True)) is not None:
                told.append(json.dumps(message.payload, ensure_ascii=False))
            return "\n".join(told)

        yield so_far


@pytest.mark.everyday
def test_flower_sees_that_messages_are_taken_in_and_nothing_of_what_is_in_them(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    with heard(settings) as events, running(settings, tmp_path):
        publish(settings, *bodies(100, text=TELLING))
        wait_until(lambda: labelled(database, 100), "100 labels")
        wait_until(lambda: "task-succeeded" in events(), "the events")
        told = events()
    assert topology.TAKE_IN in told
    assert "messages)" in told
    assert "Тайное" not in told
    assert "Тайное" not in (tmp_path / "cpu.log").read_text()


def test_who_asks_a_worker_what_it_does_is_told_how_many_messages_and_nothing_of_them(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "worker.log"
    gate.touch()
    code = (
        "from workers.app import app; import json\n"
        "asked = app.control.inspect(timeout=5); print(json.dumps([asked.active(), asked.reserved()]))"
    )
    with module("tests.faults.gated_worker", settings, log, GATE=str(gate)):
        wait_until(lambda: " ready." in log.read_text(), "the worker")
        publish(settings, *bodies(50, text=TELLING))
        wait_until(gate.with_suffix(".pid").exists, "a batch to be in the stage")
        told = subprocess.run(
            [sys.executable, "-c", code],
            env=environment(settings),
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        gate.unlink()
        wait_until(lambda: labelled(database, 50), "50 labels")
    assert topology.TAKE_IN in told
    assert "(1 messages)" in told
    assert "shop" not in told


def test_a_worker_that_is_stopped_while_children_get_large_messages_ends(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    text = "Платье село отлично. " * 40
    for number in range(2):
        log = tmp_path / f"{number}.log"
        with started("worker", "cpu", settings=settings, log=log) as worker:
            wait_until(lambda log=log: " ready." in log.read_text(), "the worker")
            publish(settings, *bodies(4_000, in_message=250, text=f"{text}{number}"))
            wait_until(lambda log=log: "ingest.stored" in log.read_text(), "some of them")
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
    with running(settings, tmp_path):
        wait_until(lambda: labelled(database, 4_000) and left(settings) == 0, "4,000 labels", seconds=120)


@pytest.mark.everyday
def test_what_the_keywords_are_sure_of_needs_no_place_in_line_and_no_second_message(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    with running(settings, tmp_path):
        publish(settings, *bodies(100))
        wait_until(lambda: labelled(database, 100), "100 labels")
    told = (tmp_path / "cpu.log").read_text()
    assert "workers.labelling.keywords" not in told.split(" ready.")[1]
    assert ledger.rows(database, "SELECT DISTINCT stage, status FROM labels") == [("keywords", "accepted")]
    assert ledger.count(database, "verdicts") == 0


def test_a_task_that_is_revoked_while_it_takes_messages_in_loses_none(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    """As by "Terminate" in Flower, which lets the message of any other task go."""
    gate = tmp_path / "gate"
    gate.touch()
    log = tmp_path / "worker.log"
    with module("tests.faults.gated_worker", settings, log, GATE=str(gate)):
        wait_until(lambda: " ready." in log.read_text(), "the worker")
        publish(settings, *bodies(50))
        wait_until(gate.with_suffix(".pid").exists, "a batch to be in the stage")
        (task,) = re.findall(rf"{topology.TAKE_IN}\[(\S+)\] received", log.read_text())
        code = f"from workers.app import app; app.control.revoke({task!r}, terminate=True, signal='SIGKILL')"
        subprocess.run([sys.executable, "-c", code], env=environment(settings), check=True)
        wait_until(lambda: "Terminating" in log.read_text(), "the child to be killed")
        gate.unlink()
        wait_until(lambda: labelled(database, 50), "50 labels")


def test_a_worker_that_is_stopped_gives_back_what_it_holds(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    log = tmp_path / "first.log"
    with started("worker", "cpu", settings=settings, log=log, OTZYV_LINGER_MS="60000") as worker:
        wait_until(lambda: " ready." in log.read_text(), "the worker")
        publish(settings, *bodies(100))
        wait_until(lambda: left(settings) == 0, "the messages to be taken")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    assert ledger.count(database, "reviews") == 0
    with running(settings, tmp_path):
        wait_until(lambda: labelled(database, 100), "100 labels")


def test_a_worker_that_is_stopped_ends_what_its_children_judge_and_acknowledges_it(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "worker.log"
    gate.touch()
    with module("tests.faults.gated_worker", settings, log, GATE=str(gate)) as worker:
        wait_until(lambda: " ready." in log.read_text(), "the worker")
        publish(settings, *bodies(50))
        wait_until(gate.with_suffix(".pid").exists, "a batch to be in the stage")
        worker.send_signal(signal.SIGTERM)
        wait_until(lambda: "Warm shutdown" in log.read_text(), "the worker to take notice")
        gate.unlink()
        assert worker.wait(60) == 0
    assert labelled(database, 50)
    assert left(settings) == 0


def left(settings: Settings) -> int:
    """Messages that nobody has taken."""
    with Connection(settings.amqp_url) as connection:
        queue = topology.queue(topology.INCOMING)(connection.channel())
        return int(queue.queue_declare(passive=True).message_count)


def test_workers_that_only_judge_leave_incoming_reviews_to_ingest(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    stored_first = {"OTZYV_JUDGE_FIRST": "false"}
    with started("worker", "cpu", settings=settings, log=log, **stored_first):
        wait_until(lambda: " ready." in log.read_text(), "the worker")
        publish(settings, *bodies(50))
        with started("ingest", settings=settings, log=tmp_path / "ingest.log", **stored_first):
            wait_until(lambda: labelled(database, 50), "50 labels")
    assert "workers.labelling.keywords" in log.read_text().split(" ready.")[1]
    assert topology.TAKE_IN not in log.read_text().split(" ready.")[1]


def test_ingest_beside_a_worker_judges_first_too(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    with started("ingest", settings=settings, log=tmp_path / "ingest.log"):
        publish(settings, *bodies(50))
        wait_until(lambda: labelled(database, 50), "50 labels, and no worker is there")


def test_where_storing_is_slow_reviews_come_late_and_none_is_given_up(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    slow = {"OTZYV_TASK_SOFT_LIMIT_S": "3", "OTZYV_LINGER_MS": "1000"}
    with database.transaction() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(4); RETURN NULL; END $$;
            CREATE TRIGGER slowly BEFORE INSERT ON reviews FOR EACH STATEMENT EXECUTE FUNCTION slowly()
            """
        )
    log = tmp_path / "worker.log"
    with started("worker", "cpu", settings=settings, log=log, **slow):
        wait_until(lambda: " ready." in log.read_text(), "the worker")
        publish(settings, *bodies(4, in_message=1))
        wait_until(lambda: log.read_text().count("ingest.waiting") > 4, "more tries than losses are let pass")
        with database.transaction() as cursor:
            cursor.execute("DROP TRIGGER slowly ON reviews; DROP FUNCTION slowly")
        wait_until(lambda: labelled(database, 4), "4 labels", seconds=120)
    told = log.read_text()
    assert "ingest.lost" not in told
    assert "Traceback" not in told, "each is told in a line"
    assert left(settings) == 0


def test_a_worker_whose_child_is_killed_again_and_again_stores_every_review_once(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    total = 5_000
    with running(settings, tmp_path) as (worker,):
        publish(settings, *bodies(total))
        for share in (0.1, 0.3, 0.5):
            wait_until(lambda share=share: ledger.count(database, "reviews") > share * total, "reviews")
            children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
            for child in children[:1]:
                os.kill(int(child), signal.SIGKILL)
        wait_until(lambda: labelled(database, total), f"{total} labels")
    assert ledger.astray(database) == []
    assert ledger.rows(database, "SELECT count(DISTINCT external_id) FROM reviews") == [(total,)]
