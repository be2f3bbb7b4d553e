"""One task for each row of the table of stages: a batch through the stage, and the unsure to the next."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from typing import Final

import msgspec
import structlog
from celery.signals import worker_process_init

from shared.catalogue import LLM, STAGES
from shared.errors import BudgetSpent, OtzyvError
from shared.labelling import rationing
from shared.labelling.labeller import Labeller, StageOutcome
from shared.runtime import runtime
from shared.settings import settings
from shared.store import failures, places
from workers.app import app
from workers.monitoring import metrics
from workers.process import crash_points
from workers.rabbitmq.topology import stage_lines, stage_task, stages_of
from workers.tasks import sending
from workers.tasks.batch_task import Batch, BatchFailed, BatchTask, blaming

log = structlog.get_logger()

SLICE_S: Final = 10.0
"""Seconds that one slice of a long batch should take: that much is done again if the process dies."""
FIRST_SLICE_ROWS: Final = 16
YOUNG_OBJECTS: Final = 20_000
"""So many new ones are looked through for cycles at a time; Python's own number is 700."""

labellers = runtime.of_taxonomies(runtime.labeller)


def warm_up(kind: str) -> None:
    """Build, once, the stages that a kind of worker runs. Raises what stands in the way."""
    labellers.get(runtime.here().taxonomy_id).warm_up(stages_of(kind, settings()))


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _warm_up(**_: object) -> None:
    """Before the first batch comes. A database that is away is left to the first task."""
    try:
        warm_up("cpu")
    except OtzyvError as error:
        log.warning("worker.not_warm", error=str(error))
    # What is there now stays, and need not be looked through for cycles again and again; of what a batch makes, little
    # is in cycles. Together a twentieth of the time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


class StageTask(BatchTask):
    """A batch through one stage."""

    abstract = True
    slice_rows: float = FIRST_SLICE_ROWS
    """Reviews that the last slice's speed lets one do in SLICE_S; in a GPU worker, whose tasks have no time limit."""

    def judged(self, labeller: Labeller, batch: Batch, part: Batch) -> StageOutcome:
        """A part of a batch, which fails as a whole."""
        reading = labeller.read(self.stage, part.review_ids)
        with blaming(batch, reading.revisions):
            return labeller.judge(reading)

    def in_slices(self, labeller: Labeller, batch: Batch) -> StageOutcome:
        """Slice by slice, each in transactions of its own.

        A thread cannot be stopped by a time limit. So what is not done when the limit is reached goes back into the
        queue as a message of its own: no message is worked on for long, whatever the model's speed.
        """
        until = time.monotonic() + settings().task_soft_limit_s
        total, todo = StageOutcome(), batch.review_ids
        while todo and total.error is None and time.monotonic() < until:
            part, began = batch.part(todo[: max(1, int(self.slice_rows))]), time.monotonic()
            total += self.judged(labeller, batch, part)
            todo = todo[len(part.review_ids) :]
            # At most doubled: a slice of short or cached reviews says little about the next.
            per_row = (time.monotonic() - began) / len(part.review_ids)
            self.slice_rows = min(2 * self.slice_rows, SLICE_S / max(per_row, 1e-6))
        if total.error is not None:
            return msgspec.structs.replace(total, unanswered=[*total.unanswered, *todo])
        if todo:
            done = len(batch.review_ids) - len(todo)
            log.info("stage.continues", stage=self.stage, done=done, left=len(todo))
            sending.to_stage(self.stage, todo, batch.taxonomy_id, self.lane)
        return total

    def revisions(self, batch: Batch) -> Mapping[int, int]:
        return labellers.get(batch.taxonomy_id).revisions(self.stage, batch.review_ids)

    def note_sent(self, work: Batch) -> None:
        with runtime.here().database.transaction() as cursor:
            places.keep(cursor, work.review_ids, work.taxonomy_id, self.stage)

    def record_failure(self, batch: Batch, reason: str, traceback_hash: str) -> None:
        """A row in `failures` per review; they stop waiting."""
        queue = stage_lines(settings())[self.stage].queue
        with runtime.here().database.transaction() as cursor:
            failures.record_failed(
                cursor, queue, batch.revisions, batch.taxonomy_id, self.stage, reason, traceback_hash
            )


def label(self: StageTask, batch: Batch) -> None:
    """A batch by the taxonomy that ingest stored it for: whole in a CPU worker, else in slices."""
    labeller, began = labellers.get(batch.taxonomy_id), time.monotonic()
    if self.stage == LLM and settings().llm_daily_tokens:
        batch = _chosen(batch)
        if not batch.review_ids:
            return
    whole = self.stage in stages_of("cpu", settings())
    outcome = self.judged(labeller, batch, batch) if whole else self.in_slices(labeller, batch)
    counts, stage = outcome.counts, self.stage
    metrics.count_stage(stage, counts)
    metrics.STAGE_UNANSWERED.add(len(outcome.unanswered), stage=stage)
    metrics.STAGE_SECONDS.observe([time.monotonic() - began], stage=stage)
    log.info(
        "stage.done",
        stage=stage,
        seen=counts.seen,
        kept=counts.kept,
        forward=len(outcome.forward),
        unanswered=len(outcome.unanswered),
    )
    crash_points.at("stage.committed")
    if outcome.next_stage is not None:
        sending.to_stage(outcome.next_stage, outcome.forward, batch.taxonomy_id, self.lane)
    crash_points.at("stage.sent")
    if isinstance(outcome.error, BudgetSpent):
        # They keep their queue position; the sweep sends them again.
        log.warning("stage.budget_spent", reviews=len(outcome.unanswered), error=str(outcome.error))
    elif outcome.error is not None:
        raise BatchFailed(batch.part(outcome.unanswered), outcome.error)


def _chosen(batch: Batch) -> Batch:
    """Those of a batch that may be asked about; the others wait for tokens until the sweep sends them."""
    admitted = rationing.admitted(runtime.here().database, batch.review_ids, batch.taxonomy_id)
    if len(admitted) < len(batch.review_ids):
        log.info("stage.waits_for_tokens", stage=LLM, reviews=len(batch.review_ids) - len(admitted))
    return batch.part(admitted)


for _stage in STAGES:
    app.task(label, name=stage_task(_stage), base=StageTask, bind=True, stage=_stage)
