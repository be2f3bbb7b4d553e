"""What becomes of batches that fail: every review is labelled, or ends in `failures` with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kombu import Connection

from shared.settings import Settings
from shared.store import Database
from tests.support import ledger
from tests.support.batches import brittle_worker, send
from tests.support.processes import started
from tests.support.servers import wait_until
from workers.rabbitmq import topology


def outcome(database: Database) -> tuple[int, list[tuple[str, str]]]:
    """How many labels there are, and (text, reason) of every failure."""
    failed = ledger.rows(
        database, "SELECT r.text, f.reason FROM failures f JOIN reviews r ON r.id = f.review_id ORDER BY r.id"
    )
    return ledger.count(database, "labels"), failed


def dead_letters(settings: Settings) -> list[list[int]]:
    """The review ids of each task in the dead-letter queue of the keyword stage."""
    with Connection(settings.amqp_url) as connection:
        queue = topology.dead_letter_queue(topology.STAGE_QUEUES["cpu.keywords"])(connection.channel())
        found = []
        while (message := queue.get()) is not None:
            found.append(json.loads(message.body)[0][0])
        return found


def awaited_dead_letters(settings: Settings) -> list[list[int]]:
    """The same, once there are any."""
    found: list[list[int]] = []
    wait_until(lambda: found.extend(dead_letters(settings)) or found, "the dead letter")
    return found


@pytest.mark.parametrize(
    ("word", "reason"), [("яд", "ValueError: cannot digest this"), ("память", "MemoryError")]
)
@pytest.mark.everyday
def test_one_bad_review_in_a_batch_costs_one_failure_and_the_rest_are_labelled(
    settings: Settings, database: Database, tmp_path: Path, word: str, reason: str
) -> None:
    texts = [f"отзыв {number}" for number in range(100)]
    texts[42] = word
    with brittle_worker(settings, tmp_path):
        send(settings, database, texts)
        wait_until(lambda: ledger.count(database, "waiting") == 0, "the batch to be settled")
        labels, failed = outcome(database)
        assert labels == 99
        assert [text for text, _ in failed] == [word]
        assert failed[0][1].startswith(reason)
        assert ledger.astray(database) == []
        found = awaited_dead_letters(settings)
    assert len(found) == 1


def labelled_in_the_end(settings: Settings, database: Database, folder: Path, word: str, **more: str) -> None:
    """A batch whose first two tries fail over a word costs neither a failure nor a dead letter."""
    with brittle_worker(settings, folder, **more):
        send(settings, database, [word, "отзыв"])
        wait_until(lambda: ledger.count(database, "labels") == 2, "the third try")
    assert outcome(database)[1] == []
    assert dead_letters(settings) == []


def test_an_error_that_may_pass_is_tried_again_after_a_pause(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    labelled_in_the_end(settings, database, tmp_path, "сеть")
    assert (tmp_path / "tries").read_text() == "..."
    assert (tmp_path / "worker.log").read_text().count("task.retry") == 2


def test_surroundings_that_stay_broken_cost_a_dead_letter_and_no_review(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    with brittle_worker(settings, tmp_path, OTZYV_TASK_ATTEMPTS="2"):
        send(settings, database, ["сеть"])
        found = awaited_dead_letters(settings)
    assert len(found) == 1
    assert outcome(database) == (0, [])
    assert ledger.count(database, "waiting") == 1, "it keeps its place in line for the sweep"


def test_a_wrong_set_up_is_waited_for_and_costs_no_review(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    labelled_in_the_end(settings, database, tmp_path, "ключ", OTZYV_TASK_ATTEMPTS="1")


def test_a_review_that_takes_too_long_is_one_dead_letter_and_not_a_loop(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    # A batch that does end takes some hundredths of a second.
    with brittle_worker(settings, tmp_path, OTZYV_TASK_SOFT_LIMIT_S="3"):
        send(settings, database, ["отзыв", "долго", "отзыв", "отзыв"])
        wait_until(lambda: ledger.count(database, "waiting") == 0, "the batch to be settled")
        found = awaited_dead_letters(settings)
    labels, failed = outcome(database)
    assert labels == 3
    assert [text for text, _ in failed] == ["долго"]
    assert failed[0][1].startswith("SoftTimeLimitExceeded")
    assert len(found) == 1


def test_a_review_that_kills_its_process_is_delivered_a_limited_number_of_times(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    with brittle_worker(settings, tmp_path):
        send(settings, database, ["смерть"])
        found = awaited_dead_letters(settings)
        # The worker is alive and goes on with others.
        send(settings, database, ["смерть", "отзыв"][1:])
        wait_until(lambda: ledger.count(database, "labels") == 1, "the next batch")
    assert len(found) == 1


def ready(
    settings: Settings, line: topology.QueueSpec = topology.STAGE_QUEUES["cpu.keywords"]
) -> tuple[int, int]:
    """Messages that wait in a queue, and its consumers."""
    with Connection(settings.amqp_url) as connection, connection.channel() as channel:
        declared = topology.queue(line)(channel).queue_declare(passive=True)
        return declared.message_count, declared.consumer_count


def test_a_worker_whose_batches_all_fail_stops_and_leaves_the_rest_in_their_queue(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    reviews = 0
    for batch in range(30):
        send(settings, database, [f"яд {batch} {number}" for number in range(10)])
        reviews += 10
    with brittle_worker(settings, tmp_path, OTZYV_POISON_STREAK="5"):
        log = tmp_path / "worker.log"
        wait_until(lambda: "breaker.stopped_consuming" in log.read_text(), "the breaker")
        wait_until(lambda: ready(settings)[1] == 0, "no consumer to be left")
        # What the worker had taken is given back.
        wait_until(lambda: ready(settings)[0] >= 30, "the batches to be back in their queue")
    _, failed = outcome(database)
    assert ledger.count(database, "labels") == 0
    assert len(failed) <= 5
    assert ledger.count(database, "waiting") == reviews - len(failed)
    assert ledger.astray(database) == []
    with started("worker", "cpu", settings=settings, log=tmp_path / "mended.log"):
        wait_until(lambda: ledger.count(database, "waiting") == 0, "a worker that is mended to do them all")
    assert ledger.astray(database) == []
    assert ready(settings)[0] == 0


def send_each_alone(settings: Settings, database: Database, word: str, batches: int) -> None:
    for batch in range(batches):
        send(settings, database, [f"{word} {batch}"])


def test_batches_of_one_review_that_all_fail_open_the_breaker_as_well(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    send_each_alone(settings, database, "яд", 64)
    with brittle_worker(settings, tmp_path, OTZYV_POISON_STREAK="5"):
        wait_until(lambda: ready(settings)[1] == 0 and ready(settings)[0] > 0, "the breaker")
    assert len(outcome(database)[1]) <= 5
    assert ledger.astray(database) == []


def test_bad_reviews_among_good_ones_never_open_the_breaker(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    # Spread, and side by side: those reach the last halving together.
    bad = {*range(0, 300, 15), *range(128, 138)}
    texts = [f"яд {number}" if number in bad else f"отзыв {number}" for number in range(300)]
    with brittle_worker(settings, tmp_path, OTZYV_POISON_STREAK="5"):
        send(settings, database, texts)
        wait_until(lambda: ledger.count(database, "waiting") == 0, "the batch to be settled")
    labels, failed = outcome(database)
    assert (labels, len(failed)) == (300 - len(bad), len(bad))
    assert "breaker.open" not in (tmp_path / "worker.log").read_text()


def test_a_batch_that_waits_for_its_next_try_is_not_taken_for_lost(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    send(settings, database, ["стена"])
    with database.transaction() as cursor:
        cursor.execute("UPDATE waiting SET sent_at = now() - interval '1 day'")
    with brittle_worker(settings, tmp_path):
        fresh = "SELECT 1 FROM waiting WHERE sent_at > now() - interval '1 hour'"
        wait_until(lambda: ledger.rows(database, fresh), "a try that keeps the review's place")
    assert "task.retry" in (tmp_path / "worker.log").read_text()


def test_batches_that_all_kill_their_process_open_the_breaker_too(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    send_each_alone(settings, database, "смерть", 20)
    with brittle_worker(settings, tmp_path, OTZYV_POISON_STREAK="4"):
        wait_until(lambda: ready(settings)[1] == 0 and ready(settings)[0] >= 14, "the breaker")
    assert ledger.count(database, "waiting") >= 14
    assert ledger.astray(database) == []


def test_a_review_that_kills_its_process_fails_alone_and_holds_nobody_back(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    texts = [f"отзыв {number}" for number in range(40)]
    texts[17] = "смерть"
    with brittle_worker(settings, tmp_path):
        send(settings, database, texts)
        wait_until(lambda: ledger.count(database, "waiting") == 0, "the batch to be settled")
    labels, failed = outcome(database)
    assert labels == 39
    assert failed == [("смерть", "NeverFinished: given out 4 times; whoever had it died, or lost RabbitMQ")]
    assert ledger.astray(database) == []
    assert "breaker" not in (tmp_path / "worker.log").read_text()
