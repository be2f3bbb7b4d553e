"""The task that predicts."""

from __future__ import annotations

import time
from collections.abc import Mapping

import structlog

from shared.runtime import runtime
from shared.runtime.judging import predictor
from shared.store import failures, places
from workers.app import app
from workers.monitoring import metrics
from workers.process import crash_points
from workers.rabbitmq.topology import CLASSIFY, CPU_CLASSIFY
from workers.tasks.batch_task import Batch, BatchTask, blaming

log = structlog.get_logger()

predictors = runtime.of_taxonomies(predictor)


class ClassifyTask(BatchTask):
    """A batch through the champion."""

    abstract = True

    def revisions(self, batch: Batch) -> Mapping[int, int]:
        return predictors.get(batch.taxonomy_id).revisions(batch.review_ids)

    def note_sent(self, work: Batch) -> None:
        with runtime.here().database.transaction() as cursor:
            places.keep(cursor, work.review_ids, work.taxonomy_id, None)

    def record_failure(self, batch: Batch, reason: str, traceback_hash: str) -> None:
        """A row in `failures` per review; they await no prediction any more."""
        with runtime.here().database.transaction() as cursor:
            failures.record_unpredicted(
                cursor, CPU_CLASSIFY.queue, batch.revisions, batch.taxonomy_id, reason, traceback_hash
            )


@app.task(name=CLASSIFY, base=ClassifyTask)  # type: ignore[untyped-decorator]
def classify(batch: Batch) -> None:
    """Predictions for one batch of reviews, by the champion for the taxonomy that ingest stored them for."""
    predictor, began = predictors.get(batch.taxonomy_id), time.monotonic()
    awaited = predictor.read(batch.review_ids)
    with blaming(batch, awaited.revisions):
        outcome = predictor.predict(awaited)
    crash_points.at("predictions.committed")
    metrics.PREDICTIONS.add(outcome.predicted)
    metrics.PREDICTIONS_PARKED.add(outcome.parked)
    metrics.PREDICTION_LATENCY.observe(outcome.after_s)
    metrics.PREDICTION_SECONDS.observe([time.monotonic() - began])
    if outcome.model_id is not None:
        metrics.SERVED_MODEL.set(outcome.model_id, taxonomy=predictor.taxonomy)
    log.info("classify.done", predicted=outcome.predicted, parked=outcome.parked, model_id=outcome.model_id)
