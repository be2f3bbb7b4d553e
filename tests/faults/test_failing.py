"""Reviews that no stage can digest, and a deployment that can digest none."""

from __future__ import annotations

import pytest

from tests.faults.world import BOTH_WAYS, World
from tests.support import ledger as tables

BRITTLE = "tests.support.brittle_worker"
"""A worker that chokes on `яд`, runs out of memory on `память` and never ends with `долго`."""


def reasons(world: World) -> list[tuple[str, str]]:
    """Text and reason of every failure."""
    return tables.rows(
        world.database,
        "SELECT r.text, f.reason FROM failures f JOIN reviews r ON r.id = f.review_id ORDER BY r.id",
    )


def with_one(word: str, reviews: int) -> list[str]:
    """So many texts, one of which holds the word."""
    return [word if number == reviews // 3 else f"отзыв {number}" for number in range(reviews)]


@BOTH_WAYS
@pytest.mark.case(
    5, expected="one failure with its reason, one dead letter, no loop; its neighbours are labelled"
)
def test_a_review_over_the_time_limit_is_one_dead_letter_and_no_loop(world: World) -> None:
    """One review of 100 takes longer than a task may."""
    with (
        world.door(),
        world.module(BRITTLE, "worker.log", OTZYV_TASK_SOFT_LIMIT_S="3"),
    ):
        world.send(with_one("долго", 100))
        world.wait_settled(100)
        world.wait_dead_letters(1)
    assert world.log().count("] task.failed") == 1  # the event, and no line of source in a traceback
    ((text, reason),) = reasons(world)
    assert text == "долго"
    assert reason.startswith("SoftTimeLimitExceeded")
    world.ledger.note(f"the reason: {reason}")
    world.ledger.check(failed=1, dead_letters=1)


@BOTH_WAYS
@pytest.mark.case(
    6, expected="halved until it is alone, one failure, one dead letter; the next batch is labelled"
)
def test_a_batch_without_memory_is_halved_and_the_next_one_runs(world: World) -> None:
    """One review of 100 asks for more memory than there is."""
    with world.door(), world.module(BRITTLE, "worker.log"):
        world.send(with_one("память", 100))
        world.wait_settled(100)
        world.wait_dead_letters(1)
        world.send([f"отзыв {number}" for number in range(100)], first=100)
        world.wait_settled(200)
    halvings = world.log().count("task.split")
    assert halvings >= 5, "100 reviews are halved at least five times until one is alone"
    ((text, reason),) = reasons(world)
    assert text == "память"
    assert reason.startswith("MemoryError")
    world.ledger.note(f"halved {halvings} times; the reason: {reason.strip(': ')}")
    world.ledger.check(failed=1, dead_letters=1)


@BOTH_WAYS
@pytest.mark.case(13, expected="999 labelled, one in `failures`, one dead letter")
def test_one_poison_review_in_a_thousand_costs_itself_only(world: World) -> None:
    """One review of 1,000 raises an error that cannot pass."""
    with world.door(), world.module(BRITTLE, "worker.log"):
        world.send(with_one("яд", 1_000))
        world.wait_settled(1_000)
        world.wait_dead_letters(1)
    assert reasons(world) == [("яд", "ValueError: cannot digest this")]
    counts = world.ledger.check(failed=1, dead_letters=1)
    assert counts.labelled == 999


@pytest.mark.case(
    14, expected="consumption stops after 5 in a row, the queue keeps the rest, a good deploy labels it"
)
def test_a_deployment_that_fails_every_batch_stops_consuming_and_leaves_the_queue_alone(world: World) -> None:
    """Every batch fails: 300 poison reviews in 30 batches, with OTZYV_POISON_STREAK=5."""
    queue = "cpu.keywords"
    with world.started("ingest", log="ingest.log", OTZYV_BATCH_ROWS="10"):
        world.send([f"яд, платье номер {number}" for number in range(300)], in_message=10)
        world.wait(lambda: world.ledger.queues().get(queue, 0) >= 30, "30 batches to wait")
    with world.module(BRITTLE, "worker.log", OTZYV_POISON_STREAK="5"):
        world.wait(lambda: "breaker.stopped_consuming" in world.log(), "the breaker to open")
        world.wait(lambda: world.ledger.queues()[queue] >= 30, "the batches to be back in their queue")
        assert "breaker.open" in world.log()
    failed = len(reasons(world))
    kept = world.ledger.queues()[queue]
    assert failed <= 5
    assert world.count("labels") == 0
    assert tables.astray(world.database) == []
    with world.started("worker", "cpu", log="mended.log"):
        world.wait_settled(300)
    world.ledger.note(f"{kept} messages kept, {failed} reviews failed before it opened")
    world.ledger.check(failed=failed, dead_letters=failed)
