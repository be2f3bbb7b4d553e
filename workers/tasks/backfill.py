"""The task that predicts stored reviews anew, a batch at a time, whenever no live review waits."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

import structlog

from shared.classifiers import Artefact, Classifier, Location
from shared.errors import ModelError
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.serving.predictor import answered
from shared.settings import settings
from shared.store import backfills, models, predictions, reviews
from workers.app import app
from workers.rabbitmq import connection, topology
from workers.rabbitmq.queue_states import depth
from workers.tasks.batch_task import BatchTask

log = structlog.get_logger()

TASK: Final = "workers.backfill.part"
LIVE: Final = (topology.CPU_KEYWORDS, topology.CPU_SIMILARITY, topology.CPU_CLASSIFY)
YIELD_S: Final = 5
"""Seconds that a part waits while live reviews do."""


class BackfillTask(BatchTask):
    """A part of a backfill. It has no reviews of its own: a part that fails is sent again by the sweep."""

    abstract = True
    may_break = False

    def keep_place(self, _review_ids: Sequence[int], *rest: object) -> None:
        """The part has just been sent."""
        backfill, number = (int(str(value)) for value in rest)
        with _process.here().database.transaction() as cursor:
            backfills.touch(cursor, backfill, number)

    def record_failure(self, review_ids: Sequence[int], reason: str, traceback_hash: str) -> None:
        """Nothing to note: the log has the reason, and the part remembers where it is."""


class Process:
    """What a process keeps: the database, and the model used last."""

    def __init__(self) -> None:
        self._pid = 0
        self._here: Runtime | None = None
        self._model: tuple[int, Classifier] | None = None

    def here(self) -> Runtime:
        """This process's runtime."""
        if self._here is None or self._pid != os.getpid():
            self._here, self._pid, self._model = runtime.for_batches(settings()), os.getpid(), None
        return self._here

    def classifier(self, number: int) -> Classifier:
        """A registered model. Raises ModelError."""
        if self._model is None or self._model[0] != number:
            here = self.here()
            with here.database.transaction() as cursor:
                model = models.get(cursor, number)
            if model is None:
                raise ModelError(f"backfill: expected model {number}, found none; see `otzyv models list`")
            artefact = Artefact(Location(here.settings.models), model.path, model.sha256)
            self._model = number, artefact.classifier()
        return self._model[1]


_process = Process()


@app.task(name=TASK, base=BackfillTask)  # type: ignore[untyped-decorator]
def part(_review_ids: Sequence[int], backfill: int, number: int) -> None:
    """One batch of a part, and a message for its next one. While live reviews wait, the part does."""
    database = _process.here().database
    if any(depth(settings(), line) > 0 for line in LIVE):
        with database.transaction() as cursor:
            backfills.touch(cursor, backfill, number)
        send(backfill, number, countdown=YIELD_S)
        return
    with database.transaction() as cursor:
        left = backfills.part(cursor, backfill, number)
        if left is None:
            return
        rows = backfills.texts(cursor, left, settings().batch_rows)
    next_id = rows[-1].review_id + 1 if rows else left.last_id + 1
    classifier = _process.classifier(left.model_id)
    found, failed = answered(classifier, rows)
    if failed:
        log.warning("backfill.cannot_be_predicted", model_id=left.model_id, review_ids=failed)
    with database.transaction() as cursor:
        there = reviews.hold(cursor, (row.review_id for row in found))
        predictions.write(cursor, [row for row in found if row.review_id in there], left.model_id)
        mine = backfills.advance(cursor, backfill, number, left, next_id)
    log.info("backfill.done", backfill=backfill, part=number, predicted=len(found), next_id=next_id)
    if mine and next_id <= left.last_id:
        send(backfill, number)


def send(backfill: int, number: int, countdown: int | None = None) -> None:
    """Send a part; returns once RabbitMQ has confirmed it."""
    with connection.translated():
        app.send_task(TASK, args=([], backfill, number), countdown=countdown)
