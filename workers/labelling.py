"""One task per stage of the cascade, and how batches are sent on."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from celery.signals import worker_process_init

from shared.errors import OtzyvError
from shared.settings import settings
from shared.store import failures
from workers import broker
from workers.app import app
from workers.batch_task import BatchTask
from workers.runtime import PerProcess
from workers.topology import STAGE_LINES

log = structlog.get_logger()

_cpu = PerProcess("keywords")


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _warm_up(**_: object) -> None:
    """Build the stages before the first batch comes. A database that is away is left to the first task."""
    try:
        _cpu.get()
    except OtzyvError as error:
        log.warning("worker.not_warm", error=str(error))


class StageTask(BatchTask):
    """A batch through one stage."""

    abstract = True
    process: PerProcess
    stage: str

    def record_failure(self, review_ids: Sequence[int], reason: str, traceback_hash: str) -> None:
        """A row in `failures` per review; they stop waiting."""
        labeller = self.process.last
        if labeller is None:
            return
        judged = {number: labeller.judged[number] for number in review_ids if number in labeller.judged}
        with labeller.database.transaction() as cursor:
            failures.record_failed(
                cursor,
                STAGE_LINES[self.stage].queue,
                judged,
                labeller.taxonomy_id,
                self.stage,
                reason,
                traceback_hash,
            )


@app.task(base=StageTask, bind=True, process=_cpu, stage="keywords")  # type: ignore[untyped-decorator]
def keywords(self: StageTask, review_ids: Sequence[int], taxonomy_id: int) -> None:
    """The keyword stage over one batch of review ids, by the taxonomy that ingest stored them for."""
    outcome = self.process.get(taxonomy_id).run(self.stage, review_ids)
    log.info(
        "stage.done", stage=self.stage, seen=outcome.seen, kept=outcome.kept, forward=len(outcome.forward)
    )
    if outcome.next_stage is not None:
        send(outcome.next_stage, outcome.forward, taxonomy_id)


def send(stage: str, review_ids: Sequence[int], taxonomy_id: int) -> None:
    """Send reviews to a stage, a batch per message; returns once RabbitMQ has confirmed all of them."""
    size = settings().batch_rows
    with broker.translated():
        for start in range(0, len(review_ids), size):
            part = list(review_ids[start : start + size])
            app.send_task(f"workers.labelling.{stage}", args=(part, taxonomy_id))
