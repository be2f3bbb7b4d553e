"""RabbitMQ that blocks publishing, because of an alarm of its own: everybody keeps his limit, says so, and goes on."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path

import pytest

from shared.errors import PublishingBlocked
from shared.settings import Settings
from shared.store import Database
from tests.support import ledger
from tests.support.pages import figures, health
from tests.support.processes import run, running
from tests.support.producer import publish, review
from tests.support.servers import RabbitNode, free_port, wait_until
from workers.rabbitmq import topology
from workers.rabbitmq.confirmed import Confirmed
from workers.rabbitmq.publisher import PROPERTIES, Publisher
from workers.rabbitmq.queue_states import check_takes_messages, queue_states

MEMORY = "RabbitMQ has blocked publishing: memory alarm"
CLEANING_UP_S = 10.0
"""Beside its patience, what a publisher may take; RabbitMQ answers no good-bye meanwhile."""


def groups(count: int, chars: int = 10) -> list[list[dict[str, object]]]:
    return [[review(number, "ё" * chars)] for number in range(count)]


def waiting(settings: Settings, queue: str) -> int | None:
    (found,) = (state.messages for state in queue_states(settings) if state.line.queue == queue)
    return found


@pytest.mark.parametrize(
    "chars", [10, 4_000_000], ids=["a short message", "one that no buffer between holds"]
)
def test_a_publisher_keeps_its_patience_clean_up_included(
    settings: Settings, rabbit: RabbitNode, chars: int
) -> None:
    told: list[str] = []
    with rabbit.memory_alarm():
        began = time.monotonic()
        with (
            pytest.raises(PublishingBlocked, match=f"{MEMORY}.*it took nothing for 2 s"),
            Publisher(settings, lambda why, _s: told.append(why), patience_s=2.0) as publisher,
        ):
            list(publisher.send(uuid.uuid4(), "a file", groups(1, chars)))
        assert time.monotonic() - began < 2.0 + CLEANING_UP_S
    assert told[0].startswith(MEMORY)


def test_a_publisher_goes_on_when_the_alarm_ends_and_sends_nothing_twice(
    settings: Settings, rabbit: RabbitNode
) -> None:
    told: list[str] = []
    with rabbit.memory_alarm() as end:

        def tell(why: str, _seconds: float) -> None:
            told.append(why)
            end()

        with Publisher(settings, tell, lambda: told.append("sent"), patience_s=60.0) as publisher:
            assert len(list(publisher.send(uuid.uuid4(), "a file", groups(3)))) == 3
    assert [words.split(":")[0] for words in told] == ["RabbitMQ has blocked publishing", "sent"]
    assert waiting(settings, "reviews.incoming.bulk") == 3


def test_a_second_try_and_a_look_at_dead_letters_keep_their_limits_too(
    settings: Settings, rabbit: RabbitNode
) -> None:
    hasty = settings.model_copy(update={"statement_timeout_s": 2, "broker_timeout_s": 2})
    with rabbit.memory_alarm():
        began = time.monotonic()
        with Confirmed(hasty) as confirmed:
            with pytest.raises(PublishingBlocked, match=MEMORY):
                confirmed.publish(b"{}", topology.REVIEWS, topology.INCOMING_KEY, PROPERTIES)
            with pytest.raises(PublishingBlocked, match=MEMORY):
                confirmed.channel.queue_declare("reviews.rejected", passive=True)
        assert time.monotonic() - began < 2.0 + CLEANING_UP_S


def test_health_tells_of_an_alarm_and_of_its_end(settings: Settings, rabbit: RabbitNode) -> None:
    check_takes_messages(settings)
    with rabbit.memory_alarm():
        with pytest.raises(PublishingBlocked, match=MEMORY):
            check_takes_messages(settings)
        shown = run("health", settings=settings)
        assert shown.returncode == 75
        assert MEMORY in shown.stderr
        assert MEMORY in " ".join(run("status", settings=settings).stdout.split())
    check_takes_messages(settings)


def vague(count: int) -> list[bytes]:
    """Messages of which the first stages are unsure."""
    reviews = (review(number, f"Тростниковая трещотка номер {number}") for number in range(count))
    return [json.dumps(one).encode() for one in reviews]


def test_a_worker_stores_what_it_takes_in_during_an_alarm_and_sends_the_unsure_on_after_it(
    settings: Settings, database: Database, rabbit: RabbitNode, tmp_path: Path
) -> None:
    chain = settings.model_copy(update={"cascade_stages": "keywords,zero_shot"})
    log = tmp_path / "cpu.log"
    publish(chain, *vague(20), json.dumps(review(20)).encode())
    with (
        rabbit.memory_alarm() as end,
        running(chain, tmp_path, OTZYV_BROKER_TIMEOUT_S="2") as (worker,),
    ):
        wait_until(lambda: "ingest.waiting" in log.read_text(), "the worker to say that it waits")
        assert MEMORY in log.read_text()
        assert (ledger.count(database, "reviews"), ledger.count(database, "labels")) == (21, 1)
        assert waiting(chain, "gpu.label") == 0
        end()
        wait_until(lambda: waiting(chain, "gpu.label"), "the unsure to be sent on")
        wait_until(lambda: "succeeded in" in log.read_text(), "the messages to be done with")
        assert worker.poll() is None
    assert waiting(chain, "reviews.incoming") == 0, "nothing came back when the worker ended"
    assert ledger.astray(database) == []
    assert ledger.count(database, "failures") == 0


def test_every_process_works_on_through_an_alarm_and_nothing_is_lost(
    settings: Settings, database: Database, rabbit: RabbitNode, tmp_path: Path
) -> None:
    two = settings.model_copy(update={"cascade_stages": "keywords,similarity"})
    beat = free_port()
    more = {"OTZYV_BROKER_TIMEOUT_S": "2", "OTZYV_SWEEP_AFTER_S": "10", "OTZYV_JUDGE_FIRST": "false"}
    publish(two, *vague(20))
    with (
        rabbit.memory_alarm() as end,
        running(two, tmp_path, "ingest", "worker cpu", **more) as (ingest, worker),
    ):
        log = tmp_path / "ingest.log"
        wait_until(lambda: "ingest.waiting" in log.read_text(), "ingest to say that it waits")
        assert MEMORY in log.read_text()
        assert ledger.count(database, "reviews") == 20
        with running(two, tmp_path, "beat", OTZYV_METRICS_PORT=str(beat), **more):
            wait_until(lambda: health(beat)[0] == 503, "beat to say so")
            assert MEMORY in health(beat)[1]["broker"]
            blocked = "otzyv_publishing_blocked"
            assert figures(beat, blocked) == {("memory",): 1, ("disk",): 0, ("other",): 0}
            end()
            wait_until(lambda: ledger.count(database, "labels") == 20, "labels")
            wait_until(lambda: figures(beat, blocked)["memory",] == 0, "beat to see the end")
        assert (ingest.poll(), worker.poll()) == (None, None)
    assert ledger.astray(database) == []
    assert ledger.count(database, "failures") == 0
    assert [state.dead for state in queue_states(settings) if state.dead] == []
