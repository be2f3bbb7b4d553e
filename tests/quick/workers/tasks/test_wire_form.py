"""Messages of version 0.1.0 are read as they were: positional arguments, the first of them a list of review ids."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from celery import Celery
from celery.exceptions import Reject
from structlog.testing import capture_logs

from shared.errors import DatabaseUnavailable
from workers.app import app
from workers.process.breaker import breaker
from workers.rabbitmq import topology
from workers.tasks import upkeep
from workers.tasks.batch_task import Batch, BatchTask
from workers.tasks.task import MessageArguments, Task
from workers.training import supervisor


class Noting(BatchTask):
    """Notes what its body gets."""

    name = "workers.labelling.keywords"
    stage = "keywords"

    def __init__(self) -> None:
        self.seen: list[Batch] = []

    def run(self, batch: Batch) -> None:
        self.seen.append(batch)


@pytest.fixture
def task() -> Iterator[Noting]:
    Noting.bind(Celery("test", set_as_current=False))
    yield Noting()
    breaker.succeeded("cpu.keywords")


def test_a_batch_comes_as_review_ids_and_taxonomy(task: Noting) -> None:
    args, kwargs, _ = json.loads('[[[3, 1, 2], 7], {}, {"callbacks": null, "chain": null}]')
    task(*args, **kwargs)
    assert task.seen == [Batch([3, 1, 2], 7, "keywords")]


def test_a_batch_is_sent_as_it_comes() -> None:
    sent = json.loads(json.dumps(Batch([3, 1], 7, "keywords", {3: 1}).part([1]).args))
    assert sent == [[1], 7]


@pytest.mark.parametrize(
    "args", ["[]", "[[1]]", '[["one"], 7]', "[[1], 7, 8]", '[{"1": 2}, 7]', "[null, null]"]
)
def test_what_is_no_batch_goes_to_the_dead_letters_and_reaches_no_body(task: Noting, args: str) -> None:
    with pytest.raises(Reject) as refused:
        task(*json.loads(args))
    assert refused.value.requeue is False
    assert task.seen == []


@pytest.mark.parametrize("args", ["[]", "[[]]", "[[], 12]"])
def test_a_training_worker_is_woken(args: str) -> None:
    app.loader.import_default_modules()
    supervisor.WOKEN.clear()
    app.tasks[topology.WAKE](*json.loads(args))
    assert supervisor.WOKEN.is_set()


@pytest.mark.parametrize(
    ("name", "args"),
    [
        (topology.BACKFILL, "[[], 4, 2]"),
        (topology.SWEEP, "[]"),
        (topology.SWEEP, "[[]]"),
        (topology.WATCH_QUALITY, "[]"),
        (topology.RETRAIN, '[[], "", {"retrain": "linear"}]'),
        (topology.RETRAIN, '[[], "clock", {"retrain": "linear"}]'),
    ],
)
def test_arguments_of_tasks_without_reviews_fit_their_bodies_and_are_sent_again_as_they_came(
    name: str, args: str
) -> None:
    app.loader.import_default_modules()
    task = app.tasks[name]
    task.__header__(*json.loads(args))
    assert isinstance(task, Task)
    assert not isinstance(task, BatchTask)
    assert json.loads(json.dumps(MessageArguments(tuple(json.loads(args))).args)) == json.loads(args)


def test_a_periodic_task_that_fails_waits_for_its_next_round() -> None:
    class Failing(upkeep.UpkeepTask):
        name = topology.SWEEP

        def run(self) -> None:
            raise DatabaseUnavailable("away")

    Failing.bind(Celery("test", set_as_current=False))
    with capture_logs() as lines:
        Failing()()
    assert [(line["event"], line["error"]) for line in lines] == [("upkeep.failed", "away")]
