"""What anybody with access to the broker may put into a task queue: it is refused, kept, and never executed."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from kombu import Connection, Producer

from shared.settings import Settings
from shared.store import Database
from tests.support import ledger
from tests.support.processes import printed, running
from tests.support.producer import publish, review
from tests.support.servers import wait_until
from workers.rabbitmq import topology


class Evil:
    """Runs a command in whoever unpickles it."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._trace}",)


def headers(task: str = "workers.labelling.keywords") -> dict[str, object]:
    """Those of a task of Celery's protocol 2."""
    number = str(uuid.uuid4())
    return {"task": task, "id": number, "root_id": number, "lang": "py", "argsrepr": "", "kwargsrepr": ""}


def hostile(trace: Path) -> dict[str, tuple[bytes, dict[str, Any]]]:
    """Bodies and their properties."""
    poison = pickle.dumps(([Evil(trace)], {}, {}))
    python = (
        yaml.dump([[[1]], {}, {}]).encode()
        + f"\n# !!python/object/apply:os.system ['touch {trace}']".encode()
    )
    command = f"!!python/object/apply:os.system ['touch {trace}']".encode()
    pickled = {"content_type": "application/x-python-serialize", "content_encoding": "binary"}
    plain = json.dumps([[[1]], {}, {}]).encode()
    return {
        "a pickle": (poison, {**pickled, "headers": headers()}),
        "a pickle without the headers of a task": (poison, pickled),
        "a pickle that says it is JSON": (poison, {"content_type": "application/json", "headers": headers()}),
        "YAML": (command, {"content_type": "application/x-yaml", "headers": headers()}),
        "YAML without the headers of a task": (python, {"content_type": "application/x-yaml"}),
        "msgpack": (b"\x93\x91\x01\x80\x80", {"content_type": "application/x-msgpack", "headers": headers()}),
        "another content type": (plain, {"content_type": "application/x-unknown", "headers": headers()}),
        "JSON that is cut": (plain[:-3], {"content_type": "application/json", "headers": headers()}),
        "a gzip bomb": (
            gzip.compress(b" " * 200_000_000),
            {
                "content_type": "application/json",
                "headers": {**headers(), "compression": "application/x-gzip"},
            },
        ),
        "a task that there is not": (
            plain,
            {"content_type": "application/json", "headers": headers("os.system")},
        ),
        "no task at all": (b"{}", {"content_type": "application/json"}),
        "nothing": (b"", {}),
    }


def dead(settings: Settings) -> list[bytes]:
    """The bodies of all dead letters of the queue, which stay there."""
    found = []
    with Connection(settings.amqp_url) as connection:
        channel = connection.channel()
        channel.auto_decode = False
        while (message := channel.basic_get(topology.STAGE_QUEUES["cpu.keywords"].dead_letters)) is not None:
            found.append(bytes(message.body or b""))
    return found


def test_whatever_is_no_task_of_ours_becomes_a_dead_letter_and_the_worker_goes_on(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    trace = tmp_path / "executed"
    sent = hostile(trace)
    with running(settings, tmp_path, OTZYV_WORKER_PROCESSES="1"):
        with Connection(settings.amqp_url, transport_options={"confirm_publish": True}) as connection:
            topology.declare(connection)
            producer = Producer(connection, topology.TASKS)
            for body, properties in sent.values():
                producer.publish(
                    body, routing_key=topology.STAGE_QUEUES["cpu.keywords"].routing_key, **properties
                )
        publish(settings, json.dumps(review(1)).encode())
        wait_until(lambda: ledger.count(database, "labels") == 1, "a review to be labelled after them")
        wait_until(lambda: len(dead(settings)) == len(sent), "all of them among the dead letters")
    assert not trace.exists()
    kept = dead(settings)
    assert [name for name, (body, _) in sent.items() if body not in kept] == []
    log = (tmp_path / "cpu.log").read_text(errors="replace")
    assert "touch" not in log, "bodies are not logged"


@pytest.mark.parametrize(
    "start",
    [
        # Workers, beat and Flower.
        "import workers.app",
        # Ingest, and every command that talks to RabbitMQ.
        "from shared.settings import settings; from workers.rabbitmq import connection as c; c.to_rabbitmq(settings())",
    ],
    ids=["celery", "connection"],
)
def test_no_process_unpacks_what_is_compressed(start: str) -> None:
    shown = f"{start}; from kombu.compression import _decoders; print(sorted(_decoders))"
    assert printed(shown) == "[]"
