"""The task that predicts stored reviews anew, a batch at a time, whenever no live review waits."""

from __future__ import annotations

from typing import Final

import structlog

from shared.classifiers import Artefact, Classifier, Location
from shared.errors import ModelError
from shared.runtime import runtime
from shared.runtime.per_process import PerProcess
from shared.serving.predictor import answered
from shared.settings import settings
from shared.store import backfills, models, predictions, reviews
from workers.app import app
from workers.rabbitmq.queue_states import depth
from workers.rabbitmq.topology import BACKFILL, CPU_CLASSIFY, CPU_STAGES
from workers.tasks import sending
from workers.tasks.task import MessageArguments, Task

log = structlog.get_logger()

LIVE: Final = (*CPU_STAGES, CPU_CLASSIFY)
YIELD_S: Final = 5
"""Seconds that a part waits while live reviews do."""


class BackfillTask(Task[MessageArguments]):
    """A part of a backfill. One that fails is sent again by the sweep, and goes on where it was."""

    abstract = True

    def note_sent(self, work: MessageArguments) -> None:
        _, backfill, number = work.args
        _touch(backfill, number)


def classifier(number: int) -> Classifier:
    """A registered model. Raises ModelError."""
    here = runtime.here()
    with here.database.transaction() as cursor:
        model = models.get(cursor, number)
    if model is None:
        raise ModelError(f"backfill: expected model {number}, found none; see `otzyv models list`")
    return Artefact(Location(here.settings.models), model.path, model.sha256).classifier()


_classifiers: Final = PerProcess(classifier, keep=1)


@app.task(name=BACKFILL, base=BackfillTask)  # type: ignore[untyped-decorator]
def part(_review_ids: list[int], backfill: int, number: int) -> None:
    """One batch of a part, and a message for its next one. While live reviews wait, the part does."""
    database, chosen = runtime.here().database, settings()
    if any(depth(chosen, line) > 0 for line in LIVE):
        _touch(backfill, number)
        sending.backfill_part(backfill, number, countdown=YIELD_S)
        return
    with database.transaction() as cursor:
        left = backfills.part(cursor, backfill, number)
        if left is None:
            return
        rows = backfills.texts(cursor, left, chosen.batch_rows)
    next_id = rows[-1].review_id + 1 if rows else left.last_id + 1
    predicted, failed = answered(_classifiers.get(left.model_id), rows)
    if failed:
        log.warning("backfill.cannot_be_predicted", model_id=left.model_id, review_ids=failed)
    with database.transaction() as cursor:
        there = reviews.hold(cursor, (row.review_id for row in predicted))
        predictions.write(cursor, [row for row in predicted if row.review_id in there], left.model_id)
        mine = backfills.advance(cursor, backfill, number, left, next_id)
    log.info("backfill.done", backfill=backfill, part=number, predicted=len(predicted), next_id=next_id)
    if mine and next_id <= left.last_id:
        sending.backfill_part(backfill, number)


def _touch(backfill: int, number: int) -> None:
    """A message for this part has just been sent, or is about to be."""
    with runtime.here().database.transaction() as cursor:
        backfills.touch(cursor, backfill, number)
