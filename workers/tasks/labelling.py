"""One task per stage of the cascade, and how batches are sent on."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
import structlog
from celery.signals import worker_process_init

from shared.errors import BudgetSpent, OtzyvError
from shared.labelling.labeller import NOTHING_DONE, StageOutcome
from shared.runtime.runtime import PerProcess
from shared.settings import settings
from shared.store import failures, places
from workers.app import app
from workers.monitoring import metrics
from workers.process import crash_points
from workers.rabbitmq import connection, topology
from workers.rabbitmq.topology import WORKER_LINES, Lane, stage_lines
from workers.tasks.batch_task import BatchTask, PartOfBatch

log = structlog.get_logger()

SLICE_S = 10.0
"""Seconds that one slice of a long batch should take: that much is done again if the process dies."""
FIRST_SLICE_ROWS = 16

_cpu = PerProcess("keywords", "similarity")
_gpu = PerProcess("zero_shot", "similarity", "llm")


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _warm_up(**_: object) -> None:
    """Build the stages before the first batch comes. A database that is away is left to the first task."""
    try:
        names = [name for name, line in stage_lines(settings()).items() if line in WORKER_LINES["cpu"]]
        _cpu.get().warm_up(names)
    except OtzyvError as error:
        log.warning("worker.not_warm", error=str(error))


def load_gpu_stages() -> None:
    """Load every model that a GPU worker needs, once, in this process. Raises what stands in the way."""
    names = [name for name, line in stage_lines(settings()).items() if line in WORKER_LINES["gpu"]]
    _gpu.get().warm_up(names)


class StageTask(BatchTask):
    """A batch through one stage."""

    abstract = True
    process: PerProcess
    stage: str
    slice_rows: float = FIRST_SLICE_ROWS
    """Reviews that the last slice's speed lets one do in SLICE_S; in a GPU worker, whose tasks have no time limit."""

    def label(self, review_ids: Sequence[int], taxonomy_id: int) -> None:
        """The whole batch through this task's stage, and the unsure to the next."""
        labeller, began = self.process.get(taxonomy_id), time.monotonic()
        self._finish(labeller.run(self.stage, review_ids), taxonomy_id, began)

    def label_in_slices(self, review_ids: Sequence[int], taxonomy_id: int) -> None:
        """The same, slice by slice, each in transactions of its own.

        A thread cannot be stopped by a time limit. So what is not done when the limit is reached goes back into the
        queue as a message of its own: no message is worked on for long, whatever the model's speed.
        """
        labeller, started = self.process.get(taxonomy_id), time.monotonic()
        until = started + settings().task_soft_limit_s
        total = NOTHING_DONE
        todo = list(review_ids)
        while todo and total.error is None and time.monotonic() < until:
            part, began = todo[: max(1, int(self.slice_rows))], time.monotonic()
            total = merged(total, labeller.run(self.stage, part))
            todo = todo[len(part) :]
            # At most doubled: a slice of short or cached reviews says little about the next.
            per_row = (time.monotonic() - began) / len(part)
            self.slice_rows = min(2 * self.slice_rows, SLICE_S / max(per_row, 1e-6))
        if todo and total.error is None:
            log.info("stage.continues", stage=self.stage, done=len(review_ids) - len(todo), left=len(todo))
            send(self.stage, todo, taxonomy_id, self.lane)
        elif todo:
            total = msgspec.structs.replace(total, unanswered=[*total.unanswered, *todo])
        self._finish(total, taxonomy_id, started)

    def _finish(self, outcome: StageOutcome, taxonomy_id: int, began: float) -> None:
        _count(outcome, self.stage, time.monotonic() - began)
        log.info(
            "stage.done",
            stage=self.stage,
            seen=outcome.seen,
            kept=outcome.kept,
            forward=len(outcome.forward),
            unanswered=len(outcome.unanswered),
        )
        crash_points.at("stage.committed")
        if outcome.next_stage is not None:
            send(outcome.next_stage, outcome.forward, taxonomy_id, self.lane)
        crash_points.at("stage.sent")
        if isinstance(outcome.error, BudgetSpent):
            # They keep their place in line; the sweep sends them again.
            log.warning("stage.budget_spent", reviews=len(outcome.unanswered), error=str(outcome.error))
        elif outcome.error is not None:
            raise PartOfBatch(outcome.unanswered, outcome.error)

    def look_at(self, review_ids: Sequence[int], *rest: object) -> None:
        """The texts that wait for this stage."""
        self.process.get(int(str(rest[0]))).look_at(self.stage, review_ids)

    def keep_place(self, review_ids: Sequence[int], *rest: object) -> None:
        """The reviews' message for this stage has just been sent."""
        taxonomy_id = int(str(rest[0]))
        with self.process.here().database.transaction() as cursor:
            places.keep(cursor, review_ids, taxonomy_id, self.stage)

    def record_failure(self, review_ids: Sequence[int], reason: str, traceback_hash: str) -> None:
        """A row in `failures` per review; they stop waiting."""
        labeller = self.process.last
        if labeller is None:
            return
        judged = {number: labeller.judged[number] for number in review_ids if number in labeller.judged}
        with labeller.database.transaction() as cursor:
            failures.record_failed(
                cursor,
                stage_lines(settings())[self.stage].queue,
                judged,
                labeller.taxonomy_id,
                self.stage,
                reason,
                traceback_hash,
            )


def _count(outcome: StageOutcome, stage: str, seconds: float) -> None:
    metrics.STAGE_SEEN.add(outcome.seen, stage=stage)
    metrics.STAGE_KEPT.add(outcome.kept, stage=stage)
    metrics.STAGE_PASSED.add(outcome.passed_on, stage=stage)
    metrics.STAGE_ABSTAINED.add(outcome.abstained, stage=stage)
    metrics.STAGE_UNANSWERED.add(len(outcome.unanswered), stage=stage)
    metrics.STAGE_SECONDS.observe([seconds], stage=stage)
    metrics.LABEL_LATENCY.observe(outcome.kept_after_s, stage=stage, status="accepted")
    metrics.LABEL_LATENCY.observe(outcome.to_people_after_s, stage=stage, status="needs_review")


def merged(one: StageOutcome, other: StageOutcome) -> StageOutcome:
    """What two parts of a batch come to."""
    return StageOutcome(
        one.seen + other.seen,
        one.kept + other.kept,
        one.abstained + other.abstained,
        other.next_stage,
        [*one.forward, *other.forward],
        [*one.unanswered, *other.unanswered],
        one.error or other.error,
        one.passed_on + other.passed_on,
        [*one.kept_after_s, *other.kept_after_s],
        [*one.to_people_after_s, *other.to_people_after_s],
    )


@app.task(name="workers.labelling.keywords", base=StageTask, bind=True, process=_cpu, stage="keywords")  # type: ignore[untyped-decorator]
def keywords(self: StageTask, review_ids: Sequence[int], taxonomy_id: int) -> None:
    """The keyword stage over one batch of review ids, by the taxonomy that ingest stored them for."""
    self.label(review_ids, taxonomy_id)


@app.task(name="workers.labelling.zero_shot", base=StageTask, bind=True, process=_gpu, stage="zero_shot")  # type: ignore[untyped-decorator]
def zero_shot(self: StageTask, review_ids: Sequence[int], taxonomy_id: int) -> None:
    """The zero-shot stage over one batch of review ids."""
    self.label_in_slices(review_ids, taxonomy_id)


@app.task(name="workers.labelling.similarity", base=StageTask, bind=True, process=_cpu, stage="similarity")  # type: ignore[untyped-decorator]
def similarity(self: StageTask, review_ids: Sequence[int], taxonomy_id: int) -> None:
    """The similarity stage over one batch of review ids: on word vectors in a CPU worker, else in a GPU worker."""
    if stage_lines(settings())["similarity"] in WORKER_LINES["cpu"]:
        self.label(review_ids, taxonomy_id)
    else:
        self.process = _gpu
        self.label_in_slices(review_ids, taxonomy_id)


@app.task(name="workers.labelling.llm", base=StageTask, bind=True, process=_gpu, stage="llm")  # type: ignore[untyped-decorator]
def llm(self: StageTask, review_ids: Sequence[int], taxonomy_id: int) -> None:
    """The LLM stage over one batch of review ids."""
    self.label_in_slices(review_ids, taxonomy_id)


def send(stage: str, review_ids: Sequence[int], taxonomy_id: int, lane: Lane = "live") -> None:
    """Send reviews to a stage, a batch per message; returns once RabbitMQ has confirmed all of them."""
    size = settings().batch_rows
    route = topology.route(topology.in_lane(stage_lines(settings())[stage], lane))
    with connection.translated():
        for start in range(0, len(review_ids), size):
            part = list(review_ids[start : start + size])
            app.send_task(f"workers.labelling.{stage}", args=(part, taxonomy_id), **route)
