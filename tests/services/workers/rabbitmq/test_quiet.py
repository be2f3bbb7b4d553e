"""RabbitMQ's log, where users look first: what we do by plan is no warning and no error in it."""

from __future__ import annotations

import re
from pathlib import Path

from shared.settings import Settings
from shared.store import Database
from tests.support import ledger
from tests.support.processes import run, running, started
from tests.support.producer import publish, review
from tests.support.servers import RabbitNode, wait_until


def complaints(rabbit: RabbitNode, since: int) -> str:
    """Warnings and errors, with the lines that say more; but for what is said of virtual hosts.

    Those are the tests' own: the store of a new one is built, and one that an earlier test has deleted may go later.
    """
    lines = rabbit.log[since:].splitlines()
    of_hosts = (
        r"Message store .* rebuilding indices from scratch|Virtual host '.*' is gone"
        r"|storage directories for vhost"
    )
    serious = re.compile(rf"\[(warning|error|critical)\](?!.*({of_hosts}))")
    at = [number for number, line in enumerate(lines) if serious.search(line)]
    return "\n".join("\n".join(lines[number : number + 2]) for number in at)


def test_the_whole_life_of_every_process_leaves_no_complaint_in_the_log_of_rabbitmq(
    settings: Settings, database: Database, rabbit: RabbitNode, tmp_path: Path
) -> None:
    one = settings.model_copy(update={"cascade_stages": "keywords"})
    since = len(rabbit.log)
    with running(one, tmp_path, "worker cpu", "ingest", "beat"):
        wait_until(lambda: "cpu@" in (tmp_path / "cpu.log").read_text(), "the worker's name")
        wait_until(lambda: run("health", "--worker", settings=one).returncode == 0, "the worker")
        with started("worker", "cpu", settings=one, log=tmp_path / "second.log"):
            wait_until(lambda: "ready." in (tmp_path / "second.log").read_text(), "a second worker")
        assert "cpu-2@" in (tmp_path / "second.log").read_text()
        publish(one, *(b'{"source": "shop", "id": "%d", "text": "?"}' % number for number in range(3)))
        publish(one, str(review(9)).replace("'", '"').encode(), b"no review")
        wait_until(lambda: ledger.count(database, "labels") == 4, "labels")
        assert run("status", settings=one).returncode == 0
        assert run("failures", "list", settings=one).returncode == 0
    found = complaints(rabbit, since)
    assert not found, found
