"""Periodic work. Each piece is safe when two schedulers run at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from shared.catalogue import LLM
from shared.errors import OtzyvError
from shared.labelling import rationing
from shared.labelling.labeller import Labeller
from shared.runtime import runtime
from shared.runtime.judging import predictor
from shared.serving.predictor import Predictor
from shared.settings import load, settings
from shared.store import aliases, awaiting, backfills, places
from shared.store.processes import waits
from workers.app import app
from workers.rabbitmq import topology
from workers.rabbitmq.queue_states import depth
from workers.tasks import sending
from workers.tasks.task import MessageArguments, Task

log = structlog.get_logger()

ROUND_S = 3_600
"""The longest time from one round to the next."""
SWEEP_ROWS = 10_000
SWEEP_PREDICTIONS = 100_000

# Of its own: a look at old taxonomies must not drop the stages and the champion that this process works with.
labellers = runtime.of_taxonomies(runtime.labeller)
predictors = runtime.of_taxonomies(predictor)


class UpkeepTask(Task[MessageArguments]):
    """A periodic task. It is not tried again: the next round is."""

    abstract = True

    @property
    def wait_key(self) -> str:
        """One for all rounds: the next that succeeds ends the wait."""
        return str(self.name)

    def subject(self, _work: MessageArguments) -> str:
        return f"upkeep {self.name}"

    def end_wait(self, work: MessageArguments) -> None:
        self.waiting(work).over(certainly=True)

    def try_again(self, error: OtzyvError, work: MessageArguments) -> None:
        log.warning("upkeep.failed", task=self.name, error=str(error))
        self.note_wait(error, work, ROUND_S)


@app.task(name=topology.SWEEP, base=UpkeepTask)  # type: ignore[untyped-decorator]
def sweep(_review_ids: list[int] | None = None) -> None:
    """Send reviews again that wait for a stage although its queue is empty: their message was lost.

    While a queue still holds messages nobody can tell lost from late, so nothing is sent. Reviews that wait for a
    stage that is no longer in use go on without it. Of those who wait for tokens, the next ones are sent. All of them
    have waited long already: they go by the bulk lane, since they may be many.
    """
    with runtime.here().database.transaction() as cursor:
        unlabelled = places.in_line(cursor, "waiting")
        unpredicted = places.in_line(cursor, "awaiting_prediction")
        forgotten = backfills.overdue(cursor, settings().sweep_after_s)
        waits.forget(cursor)
    for number, part in forgotten:
        log.warning("sweep.backfill_sent_again", backfill=number, part=part)
        sending.backfill_part(number, part)
    for taxonomy_id in unlabelled:
        _sweep(labellers.get(taxonomy_id))
    for taxonomy_id in unpredicted:
        _sweep_predictions(predictors.get(taxonomy_id))


@app.task(name=topology.WATCH_QUALITY, base=UpkeepTask)  # type: ignore[untyped-decorator]
def watch_quality(_review_ids: list[int] | None = None) -> None:
    """Count yesterday's and today's predictions of every taxonomy that has a champion, and raise alarms."""
    # Imported here: SciPy takes memory that the other tasks of a worker do without.
    from shared.serving import watching

    database = runtime.here().database
    with database.transaction() as cursor:
        served = aliases.taxonomies(cursor)
    since = datetime.now(UTC).date() - timedelta(days=1)
    for taxonomy in served:
        watching.watch(database, taxonomy, since, watching.limits(settings()))


@app.task(name=topology.RETRAIN, base=UpkeepTask)  # type: ignore[untyped-decorator]
def retrain(
    _review_ids: list[int] | None = None, clock: str = "", plan: dict[str, Any] | None = None
) -> None:
    """Ask for training runs where there is a reason to: new labels, an alarm, or the clock.

    `plan` are beat's settings about it: those of this process need not be the same.
    """
    from shared.runs import schedule

    here, chosen = runtime.here(), load(**(plan or {}))
    for run in schedule.ask(here.database, here.taxonomy, here.taxonomy_id, chosen, by_clock=bool(clock)):
        sending.wake_trainer(run)


def _sweep(labeller: Labeller) -> None:
    chosen = settings()
    for stage, ids in labeller.resettle(SWEEP_ROWS).items():
        log.warning("sweep.stage_not_in_use", sent_to=stage, reviews=len(ids))
        sending.to_stage(stage, ids, labeller.taxonomy_id, "bulk")
    for stage in chosen.stages:
        if depth(chosen, topology.stage_lines(chosen)[stage]) > 0:
            continue
        with labeller.database.transaction() as cursor:
            ids = places.overdue(cursor, labeller.taxonomy_id, stage, chosen.sweep_after_s, SWEEP_ROWS)
        if ids:
            log.warning("sweep.sent_again", stage=stage, reviews=len(ids))
            sending.to_stage(stage, ids, labeller.taxonomy_id, "bulk")
    if LLM in chosen.stages:
        ids = rationing.next_asked(
            labeller.database, labeller.taxonomy_id, chosen.llm_daily_tokens, labeller.student
        )
        if ids:
            log.info("sweep.tokens_for", reviews=len(ids))
            sending.to_stage(LLM, ids, labeller.taxonomy_id, "bulk")


def _sweep_predictions(predictor: Predictor) -> None:
    """Send reviews that waited for a champion once there is one, and those whose message was lost."""
    if not predictor.has_champion() or depth(settings(), topology.CPU_CLASSIFY) > 0:
        return
    with predictor.database.transaction() as cursor:
        parked = awaiting.parked(cursor, predictor.taxonomy_id, SWEEP_PREDICTIONS)
        late = places.overdue(cursor, predictor.taxonomy_id, None, settings().sweep_after_s, SWEEP_ROWS)
    if parked:
        log.info("sweep.champion_has_come", reviews=len(parked))
        sending.to_be_predicted(parked, predictor.taxonomy_id, "bulk")
    if late:
        log.warning("sweep.predictions_sent_again", reviews=len(late))
        sending.to_be_predicted(late, predictor.taxonomy_id, "bulk")
