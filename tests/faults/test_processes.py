"""Processes of Otzyv that are killed or stopped in the middle of their work."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import pytest

from tests.faults.world import BOTH_WAYS, World, crash
from tests.support.process_tree import children
from tests.support.servers import PATIENCE_S

GATED = "tests.faults.gated_worker"


@BOTH_WAYS
@pytest.mark.case(1, expected="the batch comes again and is labelled once")
def test_a_pool_child_that_is_killed_in_the_middle_of_a_batch_costs_nothing(world: World) -> None:
    """A child of the pool is killed by SIGKILL while its stage judges a batch."""
    gate, pid = world.folder / "gate", world.folder / "gate.pid"
    gate.touch()
    with world.door(), world.module(GATED, "worker.log") as worker:
        world.send(500)
        world.wait(pid.exists, "a batch to be in the stage")
        victim = int(pid.read_text())
        assert victim in children(worker.pid)
        gate.unlink()
        os.kill(victim, signal.SIGKILL)
        world.wait_settled(500)
    assert "signal 9 (SIGKILL)" in world.log()
    world.ledger.check()


@BOTH_WAYS
@pytest.mark.case(1, expected="every batch comes again and is labelled once")
def test_pool_children_that_are_killed_one_after_another_under_load_cost_nothing(world: World) -> None:
    """Children of a busy worker are killed one after another."""
    total, kills = 20_000, 0
    world.send(total)
    with world.running() as (_ingest, worker):
        done = 0
        for share in (0.05, 0.2, 0.4, 0.6):
            world.wait(lambda share=share: world.count("labels") > total * share, "labels")
            if victims := children(worker.pid):
                os.kill(random.choice(victims), signal.SIGKILL)
                kills += world.count("labels") < total
            done = world.count("labels")
        assert kills >= 3, f"only {kills} children died before all was done ({done} labels)"
        world.wait_settled(total)
    world.ledger.note(f"{kills} children killed while {total:,} reviews were labelled")
    world.ledger.check()


@pytest.mark.case(2, expected="the batch comes again and changes no row")
@pytest.mark.parametrize(
    ("place", "whom"), [("stage.sent", "child"), ("stage.sent", "group"), ("predictions.committed", "group")]
)
def test_a_worker_that_dies_between_commit_and_acknowledgement_costs_nothing(
    world: World, place: str, whom: str
) -> None:
    """A pool child, or the whole worker, dies by SIGKILL after it has committed and sent on, before it acknowledges."""
    die_in_a_worker(world, place, whom)


@pytest.mark.case(3, expected="the batch comes again and is sent on then")
@pytest.mark.parametrize("whom", ["child", "group"])
def test_a_worker_that_dies_between_commit_and_forwarding_costs_nothing(world: World, whom: str) -> None:
    """A pool child, or the whole worker, dies by SIGKILL after it has committed, before the unsure are sent on."""
    die_in_a_worker(world, "stage.committed", whom)


def die_in_a_worker(world: World, place: str, whom: str) -> None:
    """Let a worker die at a place, once; another one is there where it took everybody along."""
    file = world.folder / "crash"
    deadly: dict[str, Any] = crash(place, file, "group" if whom == "group" else "")
    with world.door():
        with world.started("worker", "cpu", "--processes", "2", log="worker.log", **deadly) as worker:
            world.send(2_000)
            world.wait(lambda: not file.exists(), f"a process to die at {place}")
            if whom == "group":
                assert worker.wait(PATIENCE_S) == -signal.SIGKILL
            else:
                world.wait_settled(2_000)
                assert worker.poll() is None, "the worker outlives its child"
        if whom == "group":
            with world.started("worker", "cpu", "--processes", "2", log="worker2.log"):
                world.wait_settled(2_000)
    world.ledger.note(f"died at {place}")
    world.ledger.check()


@pytest.mark.case(2, expected="the messages come again and change no row")
@pytest.mark.parametrize("judges_first", [True])
@pytest.mark.parametrize("whom", ["child", "group"])
def test_a_worker_that_dies_with_messages_that_it_has_stored_costs_nothing(world: World, whom: str) -> None:
    """A pool child, or the whole worker, dies after it has stored messages and sent on, before it acknowledges them."""
    die_in_a_worker(world, "ingest.sent", whom)


@pytest.mark.case(3, expected="the messages come again, and what follows is sent then")
@pytest.mark.parametrize("judges_first", [True])
@pytest.mark.parametrize("whom", ["child", "group"])
def test_a_worker_that_dies_before_it_sends_on_what_it_has_stored_costs_nothing(
    world: World, whom: str
) -> None:
    """A pool child, or the whole worker, dies after it has stored messages, before the unsure are sent on."""
    die_in_a_worker(world, "ingest.stored", whom)


@pytest.mark.case(2, expected="the messages come again and change no row")
def test_ingest_that_dies_between_sending_and_acknowledgement_costs_nothing(world: World) -> None:
    """ingest dies by SIGKILL after it has stored and sent first tasks, before it acknowledges."""
    die_in_ingest(world, "ingest.sent")


@pytest.mark.case(3, expected="the messages come again, and the first tasks are sent then")
def test_ingest_that_dies_between_commit_and_sending_costs_nothing(world: World) -> None:
    """ingest dies by SIGKILL after it has stored reviews, before it sends their first tasks."""
    die_in_ingest(world, "ingest.stored")


def die_in_ingest(world: World, place: str) -> None:
    """Let ingest die at a place, and start another one."""
    file = world.folder / "crash"
    world.send(2_000)
    with world.started("worker", "cpu", "--processes", "2", log="worker.log"):
        with world.started("ingest", log="ingest.log", **crash(place, file)) as ingest:
            assert ingest.wait(PATIENCE_S) == -signal.SIGKILL
        assert world.count("reviews") > 0
        with world.started("ingest", log="ingest2.log"):
            world.wait_settled(2_000)
    world.ledger.note(f"died at {place}")
    world.ledger.check()


@pytest.mark.case(4, expected="stores and sends what it holds, exit code 0")
def test_ingest_stops_with_a_half_filled_buffer_and_keeps_none_of_it_back(world: World) -> None:
    """SIGTERM comes to ingest while it gathers messages, with a linger of a minute."""
    with world.started("ingest", log="ingest.log", OTZYV_LINGER_MS="60000") as ingest:
        world.wait(lambda: "ingest.consuming" in world.log("ingest.log"), "ingest to consume")
        world.send(149)
        world.wait(lambda: world.ledger.queues()["reviews.incoming"] == 0, "the messages to be taken")
        assert world.count("reviews") == 0, "they are held"
        began = time.monotonic()
        ingest.send_signal(signal.SIGTERM)
        assert ingest.wait(PATIENCE_S) == 0
        world.ledger.note(f"exit 0 after {time.monotonic() - began:.1f} s")
    assert world.count("reviews") == 149
    with world.started("worker", "cpu", log="worker.log"):
        world.wait_settled(149)
    world.ledger.check()


@BOTH_WAYS
@pytest.mark.case(4, expected="finishes the running batch, gives the others back, exit code 0")
def test_a_worker_that_is_stopped_finishes_its_batch(world: World) -> None:
    """SIGTERM comes to a worker in the middle of a batch, with others behind it."""
    gate, pid = world.folder / "gate", world.folder / "gate.pid"
    gate.touch()
    with world.door():
        with world.module(GATED, "worker.log") as worker:
            world.send(1_000)
            world.wait(pid.exists, "a batch to be in the stage")
            worker.send_signal(signal.SIGTERM)
            world.wait(lambda: "Warm shutdown" in world.log(), "the worker to take notice")
            gate.unlink()
            assert worker.wait(PATIENCE_S) == 0
        assert world.count("labels") > 0, "the batch was finished"
        with world.module(GATED, "worker2.log"):
            world.wait_settled(1_000)
    world.ledger.check()
