"""`otzyv flower` beside a worker: who gets in, and what there is to see."""

from __future__ import annotations

import base64
import importlib.util
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.settings import Settings
from shared.store import Database
from tests.support import ledger
from tests.support.batches import send
from tests.support.processes import started
from tests.support.servers import PATIENCE_S, free_port, wait_until

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("flower") is None, reason="needs Flower: pip install -e '.[monitoring]'"
    ),
]

LOGIN = "watcher:a-long-password"
TEXT = "Платье село отлично"


class Flower:
    """A running Flower, asked over HTTP."""

    def __init__(self, port: int) -> None:
        self.port = port

    def status(self, path: str, login: str | None = None) -> int:
        """The status with which it answers; 0 while nobody listens."""
        try:
            self.ask(path, login)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0
        return 200

    def ask(self, path: str, login: str | None = None) -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        if login is not None:
            request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return str(answer.read().decode())

    def told(self, path: str) -> Any:
        """What its API says to who has the password."""
        return json.loads(self.ask(path, LOGIN))


@pytest.fixture
def flower(settings: Settings, database: Database, tmp_path: Path) -> Iterator[Flower]:
    """Flower beside a CPU worker."""
    port = free_port()
    more = {"OTZYV_FLOWER_PORT": str(port), "OTZYV_FLOWER_BASIC_AUTH": LOGIN}
    with (
        started("flower", settings=settings, log=tmp_path / "flower.log", **more),
        started("worker", "cpu", settings=settings, log=tmp_path / "worker.log"),
    ):
        here = Flower(port)
        wait_until(lambda: here.status("/healthcheck") == 200, "Flower")
        yield here


def test_without_the_password_nobody_sees_workers_or_tasks(flower: Flower) -> None:
    for path in ("/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks", "/api/task/types"):
        assert flower.status(path) == 401, path
        assert flower.status(path, "watcher:another-password") == 401, path
    assert flower.status("/api/workers", LOGIN) == 200


def test_the_password_is_not_in_the_list_of_processes(flower: Flower) -> None:
    shown = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert [words for words in shown if str(flower.port).encode() in words]
    assert not [words for words in shown if LOGIN.split(":")[1].encode() in words]


def test_a_worker_that_is_silent_is_forgotten_for_flower_never_does_by_itself(flower: Flower) -> None:
    port = f"--port={flower.port}".encode()
    (process,) = (path.parent for path in Path("/proc").glob("[0-9]*/cmdline") if port in path.read_bytes())
    assert b"FLOWER_PURGE_OFFLINE_WORKERS=60" in (process / "environ").read_bytes().split(b"\0")


def seen_queues(flower: Flower) -> set[str]:
    """What the worker consumes; nothing while Flower has not asked it, or got no answer in its second."""
    workers = flower.told("/api/workers?refresh=1").values()
    return {queue["name"] for worker in workers for queue in worker.get("active_queues", ())}


def test_the_worker_and_a_task_that_succeeded_are_seen_and_no_text_is(
    flower: Flower, settings: Settings, database: Database
) -> None:
    wait_until(lambda: seen_queues(flower), "the worker to be seen, with its queues")
    (worker,) = flower.told("/api/workers")
    assert worker.startswith("cpu@")
    queues = seen_queues(flower)
    assert {"cpu.keywords", "cpu.classify", "cpu.upkeep"} <= queues

    wait_until(lambda: flower.told("/workers?json=1")["data"], "the worker to be heard of")
    send(settings, database, [f"{TEXT} {number}" for number in range(3)])
    wait_until(lambda: ledger.count(database, "labels") == 3, "the labels")
    wait_until(lambda: flower.told("/api/tasks?state=SUCCESS"), "the task to be seen")
    (task,) = flower.told("/api/tasks?state=SUCCESS").values()
    assert task["name"] == "workers.labelling.keywords"
    assert task["worker"] == worker
    ids = [row[0] for row in ledger.rows(database, "SELECT id FROM reviews ORDER BY id")]
    taxonomy = ledger.rows(database, "SELECT id FROM taxonomies")[0][0]
    assert task["args"] == f"({ids}, {taxonomy})"
    assert "Платье" not in flower.ask("/api/tasks", LOGIN)
    assert "Платье" not in flower.ask(f"/task/{task['uuid']}", LOGIN)


def test_what_flower_never_protects_tells_no_ids_and_no_text(
    flower: Flower, settings: Settings, database: Database
) -> None:
    # What happens before it listens to the worker, it never hears of.
    wait_until(lambda: flower.told("/workers?json=1")["data"], "the worker to be heard of")
    send(settings, database, [TEXT])
    wait_until(lambda: flower.told("/api/tasks?state=SUCCESS"), "the task to be seen")
    (task,) = flower.told("/api/tasks")
    assert flower.status("/healthcheck") == 200
    shown = flower.ask("/metrics")
    assert "workers.labelling.keywords" in shown
    assert "Платье" not in shown
    assert task not in shown
