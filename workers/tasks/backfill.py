"""The task that predicts stored reviews anew, a batch at a time, whenever no live review waits."""

from __future__ import annotations

from typing import Final

from shared.classifiers import Artefact, Classifier
from shared.errors import ModelError
from shared.runtime import runtime
from shared.runtime.per_process import PerProcess
from shared.serving import backfilling
from shared.serving.loader import waiting
from shared.serving.shelf import place_of_models
from shared.settings import settings
from shared.store import backfills, models
from workers.app import app
from workers.rabbitmq.queue_states import depth
from workers.rabbitmq.topology import BACKFILL, CPU_CLASSIFY, CPU_STAGES
from workers.tasks import sending
from workers.tasks.task import MessageArguments, Task

LIVE: Final = (*CPU_STAGES, CPU_CLASSIFY)
YIELD_S: Final = 5
"""Seconds that a part waits while live reviews do."""


class BackfillTask(Task[MessageArguments]):
    """A part of a backfill. One that fails is sent again by the sweep, and goes on where it was."""

    abstract = True

    def subject(self, work: MessageArguments) -> str:
        _, backfill, number = work.args
        return f"backfill {backfill} part {number}"

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
    place = place_of_models(here.database, here.settings.models)
    loaded = Artefact(place, model.path, model.sha256).classifier()
    waiting(here.database, place, number).over(certainly=True)
    return loaded


_classifiers: Final = PerProcess(classifier, keep=1)


@app.task(name=BACKFILL, base=BackfillTask)  # type: ignore[untyped-decorator]
def part(_review_ids: list[int], backfill: int, number: int) -> None:
    """One batch of a part, and a message for its next one. While live reviews wait, the part does."""
    database, chosen = runtime.here().database, settings()
    if any(depth(chosen, line) > 0 for line in LIVE):
        _touch(backfill, number)
        sending.backfill_part(backfill, number, countdown=YIELD_S)
        return
    if backfilling.go_on(database, _classifiers.get, backfill, number, chosen.batch_rows):
        sending.backfill_part(backfill, number)


def _touch(backfill: int, number: int) -> None:
    """A message for this part has just been sent, or is about to be."""
    with runtime.here().database.transaction() as cursor:
        backfills.touch(cursor, backfill, number)
