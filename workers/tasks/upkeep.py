"""Periodic work. Each piece is safe when two schedulers run at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from shared.errors import OtzyvError
from shared.labelling.labeller import Labeller
from shared.runtime.runtime import PerProcess
from shared.serving.predictor import Predictor
from shared.settings import load, settings
from shared.store import aliases, awaiting, backfills, places, taxonomies
from workers.app import app
from workers.rabbitmq import topology
from workers.rabbitmq.queue_states import depth
from workers.tasks import backfill, labelling, prediction
from workers.tasks.batch_task import BatchTask
from workers.training import supervisor

log = structlog.get_logger()

SWEEP_ROWS = 10_000
SWEEP_PREDICTIONS = 100_000

_store_only = PerProcess()
_predictors = prediction.Predictors()


class UpkeepTask(BatchTask):
    """A periodic task: it has no reviews of its own that could fail, and is not tried again: the next round is."""

    abstract = True
    may_break = False

    def _try_again(self, review_ids: Sequence[int], rest: tuple[object, ...], error: OtzyvError) -> None:  # noqa: ARG002
        log.warning("upkeep.failed", task=self.name, error=str(error))

    def record_failure(self, review_ids: Sequence[int], reason: str, traceback_hash: str) -> None:
        """Nothing to note: the log has the reason, and the next round tries again."""


@app.task(name="workers.upkeep.sweep", base=UpkeepTask)  # type: ignore[untyped-decorator]
def sweep(_review_ids: Sequence[int] = ()) -> None:
    """Send reviews again that wait for a stage although its queue is empty: their message was lost.

    While a queue still holds messages nobody can tell lost from late, so nothing is sent. Reviews that wait
    for a stage that is no longer in use go on without it. All of them have waited long already: they go by the bulk
    lane, since they may be many.
    """
    database = _store_only.get().database
    with database.transaction() as cursor:
        in_line = taxonomies.in_line(cursor)
        unpredicted = awaiting.in_line(cursor)
        forgotten = backfills.overdue(cursor, settings().sweep_after_s)
    for number, part in forgotten:
        log.warning("sweep.backfill_sent_again", backfill=number, part=part)
        backfill.send(number, part)
    for taxonomy_id in in_line:
        _sweep(_store_only.get(taxonomy_id))
    for taxonomy_id in unpredicted:
        _sweep_predictions(_predictors.get(taxonomy_id))


@app.task(name="workers.upkeep.watch_quality", base=UpkeepTask)  # type: ignore[untyped-decorator]
def watch_quality(_review_ids: Sequence[int] = ()) -> None:
    """Count yesterday's and today's predictions of every taxonomy that has a champion, and raise alarms."""
    # Imported here: SciPy takes memory that the other tasks of a worker do without.
    from shared.serving import watching

    here = _store_only.get().database
    with here.transaction() as cursor:
        served = aliases.taxonomies(cursor)
    since = datetime.now(UTC).date() - timedelta(days=1)
    for taxonomy in served:
        watching.watch(here, taxonomy, since, watching.limits(settings()))


@app.task(name="workers.upkeep.retrain", base=UpkeepTask)  # type: ignore[untyped-decorator]
def retrain(_review_ids: Sequence[int] = (), clock: str = "", plan: dict[str, Any] | None = None) -> None:
    """Ask for training runs where there is a reason to: new labels, an alarm, or the clock.

    `plan` are beat's settings about it: those of this process need not be the same.
    """
    from shared.runs import schedule

    here, chosen = _store_only.here(), load(**(plan or {}))
    asked = schedule.ask(here.database, here.taxonomy, here.taxonomy_id, chosen, by_clock=bool(clock))
    for number in asked:
        supervisor.send(number)


def _sweep(labeller: Labeller) -> None:
    chosen = settings()
    for stage, ids in labeller.resettle(SWEEP_ROWS).items():
        log.warning("sweep.stage_not_in_use", sent_to=stage, reviews=len(ids))
        labelling.send(stage, ids, labeller.taxonomy_id, "bulk")
    for stage in chosen.stages:
        if depth(chosen, topology.stage_lines(chosen)[stage]) > 0:
            continue
        with labeller.database.transaction() as cursor:
            ids = places.overdue(cursor, labeller.taxonomy_id, stage, chosen.sweep_after_s, SWEEP_ROWS)
        if ids:
            log.warning("sweep.sent_again", stage=stage, reviews=len(ids))
            labelling.send(stage, ids, labeller.taxonomy_id, "bulk")


def _sweep_predictions(predictor: Predictor) -> None:
    """Send reviews that waited for a champion once there is one, and those whose message was lost."""
    if not predictor.has_champion() or depth(settings(), topology.CPU_CLASSIFY) > 0:
        return
    with predictor.database.transaction() as cursor:
        parked = awaiting.parked(cursor, predictor.taxonomy_id, SWEEP_PREDICTIONS)
        late = awaiting.overdue(cursor, predictor.taxonomy_id, settings().sweep_after_s, SWEEP_ROWS)
    if parked:
        log.info("sweep.champion_has_come", reviews=len(parked))
        prediction.send(parked, predictor.taxonomy_id, "bulk")
    if late:
        log.warning("sweep.predictions_sent_again", reviews=len(late))
        prediction.send(late, predictor.taxonomy_id, "bulk")
