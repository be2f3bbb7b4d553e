"""The task that predicts, and how batches are sent to it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import structlog

from shared.classifiers import Location
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.serving.predictor import PredictionOutcome, Predictor
from shared.settings import settings
from shared.store import awaiting, failures
from workers.app import app
from workers.monitoring import metrics
from workers.process import crash_points
from workers.rabbitmq import connection, topology
from workers.rabbitmq.topology import CPU_CLASSIFY, Lane
from workers.tasks.batch_task import BatchTask

log = structlog.get_logger()

TASK = "workers.prediction.classify"
KEPT = 2


class Predictors:
    """Predictors that each process builds for itself on first use; the two taxonomies used last."""

    def __init__(self) -> None:
        self._pid = 0
        self._here: Runtime | None = None
        self._kept: dict[int, Predictor] = {}
        self.last: Predictor | None = None

    def here(self) -> Runtime:
        """This process's runtime."""
        if self._here is None or self._pid != os.getpid():
            self._here, self._kept, self._pid = runtime.for_batches(settings()), {}, os.getpid()
        return self._here

    def get(self, taxonomy_id: int) -> Predictor:
        """This process's predictor for a taxonomy of the database."""
        here = self.here()
        if taxonomy_id not in self._kept:
            if len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[taxonomy_id] = predictor(runtime.stored_taxonomy(here, taxonomy_id))
        self.last = self._kept[taxonomy_id] = self._kept.pop(taxonomy_id)
        return self.last


def predictor(here: Runtime) -> Predictor:
    """The predictor for a runtime's taxonomy."""
    return Predictor(
        here.database,
        Location(here.settings.models),
        here.taxonomy_id,
        here.taxonomy.name,
        here.taxonomy.slugs,
    )


class ClassifyTask(BatchTask):
    """A batch through the champion."""

    abstract = True
    process = Predictors()

    def look_at(self, review_ids: Sequence[int], *rest: object) -> None:
        """The texts that await a prediction."""
        self.process.get(int(str(rest[0]))).look_at(review_ids)

    def keep_place(self, review_ids: Sequence[int], *rest: object) -> None:
        """The reviews' message has just been sent."""
        taxonomy_id = int(str(rest[0]))
        with self.process.here().database.transaction() as cursor:
            awaiting.keep(cursor, review_ids, taxonomy_id)

    def record_failure(self, review_ids: Sequence[int], reason: str, traceback_hash: str) -> None:
        """A row in `failures` per review; they await no prediction any more."""
        here = self.process.last
        if here is None:
            return
        read = {number: here.read[number] for number in review_ids if number in here.read}
        with here.database.transaction() as cursor:
            failures.record_unpredicted(
                cursor, CPU_CLASSIFY.queue, read, here.taxonomy_id, reason, traceback_hash
            )


@app.task(name=TASK, base=ClassifyTask, bind=True)  # type: ignore[untyped-decorator]
def classify(self: ClassifyTask, review_ids: Sequence[int], taxonomy_id: int) -> None:
    """Predictions for one batch of review ids, by the champion for the taxonomy that ingest stored them for."""
    predictor, began = self.process.get(taxonomy_id), time.monotonic()
    outcome = predictor.run(review_ids)
    crash_points.at("predictions.committed")
    _count(outcome, predictor.taxonomy, time.monotonic() - began)
    log.info("classify.done", predicted=outcome.predicted, parked=outcome.parked, model_id=outcome.model_id)


def _count(outcome: PredictionOutcome, taxonomy: str, seconds: float) -> None:
    metrics.PREDICTIONS.add(outcome.predicted)
    metrics.PREDICTIONS_PARKED.add(outcome.parked)
    metrics.PREDICTION_LATENCY.observe(outcome.after_s)
    metrics.PREDICTION_SECONDS.observe([seconds])
    if outcome.model_id is not None:
        metrics.SERVED_MODEL.set(outcome.model_id, taxonomy=taxonomy)


def send(review_ids: Sequence[int], taxonomy_id: int, lane: Lane = "live") -> None:
    """Send reviews to be predicted, a batch per message; returns once RabbitMQ has confirmed all of them."""
    size = settings().batch_rows
    route = topology.route(topology.in_lane(CPU_CLASSIFY, lane))
    with connection.translated():
        for start in range(0, len(review_ids), size):
            app.send_task(TASK, args=(list(review_ids[start : start + size]), taxonomy_id), **route)
