"""The table of exchanges and queues keeps what RELIABILITY asks for (traps T1 to T3, T7, T9)."""

from __future__ import annotations

from typing import Any

import pytest
from kombu import Queue

from shared.catalogue import STAGES
from shared.errors import SettingsError
from shared.settings import load
from workers.app import app, configuration
from workers.rabbitmq import topology
from workers.rabbitmq.topology import ALL_LINES, BULK_LINES, LINES, QueueSpec


def arguments_of(queue: Queue) -> dict[str, Any]:
    """What a queue is declared with; kombu's types do not know of it."""
    return queue.queue_arguments  # type: ignore[attr-defined]


@pytest.mark.parametrize("line", ALL_LINES, ids=lambda line: line.queue)
def test_a_queue_survives_restarts_and_never_drops_a_message(line: QueueSpec) -> None:
    arguments = arguments_of(topology.queue(line))
    assert arguments["x-queue-type"] == "quorum"
    assert arguments["x-delivery-limit"] >= 1
    assert arguments["x-dead-letter-exchange"] == topology.DEAD.name
    assert arguments["x-dead-letter-strategy"] == "at-least-once"
    assert arguments["x-overflow"] == "reject-publish"
    assert arguments["x-max-length"] > 0
    assert arguments["x-max-length-bytes"] > 0


@pytest.mark.parametrize("line", ALL_LINES, ids=lambda line: line.queue)
def test_dead_letters_have_a_queue_of_their_own_that_is_bound_to_their_key(line: QueueSpec) -> None:
    queue = topology.dead_letter_queue(line)
    assert queue.routing_key == arguments_of(topology.queue(line))["x-dead-letter-routing-key"]
    assert arguments_of(queue) == {"x-queue-type": "quorum"}


def test_every_exchange_is_a_durable_topic_exchange() -> None:
    for line in LINES:
        assert (line.exchange.type, line.exchange.durable) == ("topic", True)
    assert (topology.DEAD.type, topology.DEAD.durable) == ("topic", True)


def test_all_that_a_review_passes_has_a_bulk_lane_whose_dead_letters_are_the_lines_own() -> None:
    passed = {topology.INCOMING, *topology.STAGE_QUEUES.values(), topology.CPU_CLASSIFY}
    assert set(BULK_LINES) == {topology.in_lane(line, "bulk") for line in passed}
    for line in passed:
        bulk = topology.in_lane(line, "bulk")
        assert (bulk.queue, bulk.dead_letters) == (line.queue + ".bulk", line.dead_letters)
        workers = [lines for lines in topology.WORKER_LINES.values() if line in lines]
        assert all(bulk in lines for lines in workers)


@pytest.mark.parametrize(
    ("routing_key", "lane"),
    [
        ("cpu.keywords", "live"),
        ("cpu.keywords.bulk", "bulk"),
        ("0.0.0.0.0.1.0.cpu.keywords.bulk", "bulk"),
        ("0.0.0.0.0.1.0.cpu.keywords", "live"),
    ],
)
def test_a_message_keeps_its_lane_when_it_is_delayed(routing_key: str, lane: str) -> None:
    assert topology.lane_of(routing_key) == lane


def test_every_stage_and_every_task_has_a_queue_that_a_worker_consumes() -> None:
    consumed = {line for lines in topology.WORKER_LINES.values() for line in lines}
    assert set(topology.stage_lines(load())) == set(STAGES)
    assert {*topology.STAGE_QUEUES.values(), *topology.task_lines(load()).values()} <= consumed


def test_similarity_needs_a_gpu_worker_only_with_an_encoder_that_needs_torch() -> None:
    assert topology.stage_lines(load())["similarity"] in topology.WORKER_LINES["cpu"]
    big = load(similarity_encoder="deepvk/USER2-small")
    assert topology.stage_lines(big)["similarity"] in topology.WORKER_LINES["gpu"]


def test_every_task_of_the_application_is_in_the_table() -> None:
    app.loader.import_default_modules()
    ours = {name for name in app.tasks if name.startswith("workers.")}
    assert ours
    assert ours - {topology.TAKE_IN} <= set(topology.task_lines(load())), "that one is never sent"


def test_celery_acknowledges_late_rejects_failures_and_waits_for_confirms() -> None:
    chosen = configuration(load())
    assert chosen["task_acks_late"] is True
    assert chosen["task_reject_on_worker_lost"] is True
    assert chosen["task_acks_on_failure_or_timeout"] is False
    assert chosen["broker_transport_options"]["confirm_publish"] is True
    assert chosen["worker_prefetch_multiplier"] == 1
    assert chosen["accept_content"] == ["json"]
    assert chosen["task_create_missing_queues"] is False


def test_the_hard_time_limit_is_only_a_backstop_behind_the_soft_one() -> None:
    chosen = configuration(load())
    assert chosen["task_time_limit"] > chosen["task_soft_time_limit"]


@pytest.mark.parametrize("times", ["61 * * * *", "*/0 * * * *", "* 25 * * *", "0 0 0 * *", "0-99 * * * *"])
def test_times_that_no_clock_shows_are_refused_with_the_settings_name(times: str) -> None:
    with pytest.raises(SettingsError, match="OTZYV_RETRAIN_CRON: expected five crontab fields"):
        configuration(load(retrain="linear", retrain_cron=times))


def test_beat_sends_its_own_settings_of_retraining_along() -> None:
    schedule = configuration(load(retrain="linear", retrain_new_labels=7, retrain_cron="0 3 * * 1"))[
        "beat_schedule"
    ]
    for name in ("retrain", "retrain_by_the_clock"):
        assert schedule[name]["args"][2]["retrain_new_labels"] == 7
    assert "retrain" not in configuration(load())["beat_schedule"]
