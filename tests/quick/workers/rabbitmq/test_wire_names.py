"""The names on the wire are a contract: messages that one version has published are read by the next.

Whoever changes a name here registers the old one beside it for as long as messages of the version before may lie in
queues. A task's name is no place in the code: files move, messages stay.
"""

from __future__ import annotations

import pytest
from celery import Celery

from shared.settings import load
from workers.app import app
from workers.rabbitmq import topology

TASKS = {
    "workers.backfill.part": "cpu.backfill",
    "workers.labelling.keywords": "cpu.keywords",
    "workers.labelling.llm": "gpu.label",
    "workers.labelling.similarity": "cpu.similarity",
    "workers.labelling.student": "cpu.student",
    "workers.labelling.zero_shot": "gpu.label",
    "workers.prediction.classify": "cpu.classify",
    "workers.training.wake": "gpu.train",
    "workers.upkeep.retrain": "cpu.upkeep",
    "workers.upkeep.sweep": "cpu.upkeep",
    "workers.upkeep.watch_quality": "cpu.upkeep",
}
"""Each task and the queue that its messages go to by default, in the live lane."""

QUEUES = {
    "cpu.backfill": ("tasks", "cpu.backfill", "cpu.backfill.dead"),
    "cpu.classify": ("tasks", "cpu.classify", "cpu.classify.dead"),
    "cpu.classify.bulk": ("tasks", "cpu.classify.bulk", "cpu.classify.dead"),
    "cpu.keywords": ("tasks", "cpu.keywords", "cpu.keywords.dead"),
    "cpu.keywords.bulk": ("tasks", "cpu.keywords.bulk", "cpu.keywords.dead"),
    "cpu.similarity": ("tasks", "cpu.similarity", "cpu.similarity.dead"),
    "cpu.similarity.bulk": ("tasks", "cpu.similarity.bulk", "cpu.similarity.dead"),
    "cpu.student": ("tasks", "cpu.student", "cpu.student.dead"),
    "cpu.student.bulk": ("tasks", "cpu.student.bulk", "cpu.student.dead"),
    "cpu.upkeep": ("tasks", "cpu.upkeep", "cpu.upkeep.dead"),
    "gpu.label": ("tasks", "gpu.label", "gpu.label.dead"),
    "gpu.label.bulk": ("tasks", "gpu.label.bulk", "gpu.label.dead"),
    "gpu.train": ("tasks", "gpu.train", "gpu.train.dead"),
    "reviews.incoming": ("reviews", "incoming", "reviews.rejected"),
    "reviews.incoming.bulk": ("reviews", "incoming.bulk", "reviews.rejected"),
}
"""Each queue: the exchange it is bound to, by which routing key, and the queue of its dead letters."""


@pytest.fixture(scope="module")
def worker() -> Celery:
    app.loader.import_default_modules()
    return app


def test_every_task_of_the_contract_is_registered_and_no_other(worker: Celery) -> None:
    never_sent = topology.TAKE_IN
    ours = sorted(name for name in worker.tasks if not name.startswith("celery."))
    assert ours == sorted([*TASKS, never_sent])


def test_every_task_goes_to_the_queue_of_the_contract() -> None:
    lines = topology.task_lines(load())
    assert {task: line.queue for task, line in lines.items()} == TASKS


def test_similarity_goes_to_the_gpu_workers_with_any_encoder_but_word_vectors() -> None:
    lines = topology.task_lines(load(similarity_encoder="some/model"))
    assert lines["workers.labelling.similarity"].queue == "gpu.label"


def test_queues_exchanges_and_keys_are_those_of_the_contract() -> None:
    declared = [topology.queue(line) for line in topology.ALL_LINES]
    found = {
        queue.name: (
            queue.exchange.name,
            queue.routing_key,
            queue.queue_arguments["x-dead-letter-routing-key"],  # type: ignore[attr-defined]
        )
        for queue in declared
    }
    assert found == QUEUES
    exchanges = {queue.queue_arguments["x-dead-letter-exchange"] for queue in declared}  # type: ignore[attr-defined]
    assert exchanges == {"dead"}
