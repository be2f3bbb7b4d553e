"""RabbitMQ that goes away and comes back."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.world import BOTH_WAYS, World
from tests.support.servers import PATIENCE_S

A_MINUTE_S = 60.0
NOT_REACHED = 75
"""Exit code of a command that did not reach a service."""


@contextmanager
def enqueuing(world: World, file: Path, log: str) -> Iterator[subprocess.Popen[bytes]]:
    """`otzyv enqueue` in messages of ten reviews, so that it takes a while."""
    with world.started("enqueue", str(file), log=log, OTZYV_BATCH_ROWS="10") as process:
        yield process


def finish(world: World, process: subprocess.Popen[bytes], file: Path, reviews: int) -> None:
    """Wait for enqueue; where it gave up and said so, do as it says: send the same file again."""
    code = process.wait(PATIENCE_S)
    assert code in (0, NOT_REACHED), world.log("enqueue.log")
    if code == NOT_REACHED:
        assert re.search(
            r"[\d\s]+ reviews? had been confirmed; sending the same file again is safe",
            world.log("enqueue.log"),
        )
        assert world.run("enqueue", file).returncode == 0
        world.ledger.note("enqueue gave up and was run again")
    world.ledger.confirmed.update(map(str, range(reviews)))


@BOTH_WAYS
@pytest.mark.case(7, expected="enqueue, ingest and worker reconnect; unacknowledged messages come again")
def test_a_broker_that_is_restarted_in_the_middle_of_the_stream_costs_nothing(world: World) -> None:
    """RabbitMQ is killed by SIGKILL and started, then stopped properly and started, while reviews stream through."""
    total = 30_000
    file = world.file(total)
    with world.running():
        world.wait_at_work()
        with enqueuing(world, file, "enqueue.log") as process:
            for share, kill in ((0.1, True), (0.4, False)):
                world.wait(lambda share=share: world.count("reviews") > total * share, "reviews")
                assert world.count("reviews") < total, "too late: everything has arrived"
                (world.rabbit.crash if kill else world.rabbit.stop)()
                world.rabbit.start()
            finish(world, process, file, total)
        world.wait_settled(total)
    world.ledger.note(f"{world.log(world.taking_log).count('ingest.reconnect')} reconnects of ingest")
    world.ledger.check()


@BOTH_WAYS
@pytest.mark.case(8, expected="nobody exits, health fails, enqueue waits; all goes on afterwards")
def test_a_broker_that_is_down_for_a_minute_costs_nothing(world: World) -> None:
    """RabbitMQ is killed and down for a minute, while enqueue sends and ingest and a worker run."""
    total = 60_000
    file = world.file(total)
    with world.running() as (ingest, worker):
        world.wait_at_work()
        with enqueuing(world, file, "enqueue.log") as enqueue:
            world.wait(lambda: world.count("reviews") > total * 0.1, "reviews")
            world.rabbit.crash()
            end = time.monotonic() + A_MINUTE_S
            assert enqueue.poll() is None, "too late: everything was sent"
            assert world.run("health").returncode == NOT_REACHED
            world.wait(lambda: time.monotonic() > end, "a minute to pass")
            assert (ingest.poll(), worker.poll()) == (None, None), "they wait, and do not exit"
            world.rabbit.start()
            finish(world, enqueue, file, total)
        world.wait_settled(total)
        assert world.run("health").returncode == 0
    world.ledger.check()
