"""Every metric of Otzyv as one table, and how a process counts; broker's and store's are read in `system_state`.

docs/monitoring.md shows the same table; a test keeps the two together, and the alerts and the dashboard in ops/ too.
Nothing is made before it is first used: whether children share their counts has to be known by then.
"""

from __future__ import annotations

import math
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import prometheus_client
from billiard.process import current_process
from prometheus_client import CollectorRegistry, ProcessCollector, values
from prometheus_client.multiprocess import MultiProcessCollector

from shared.labelling.opinion import StageCounts

MetricKind = Literal["counter", "gauge", "histogram"]
ServedBy = Literal["ingest", "worker", "beat"]

BATCH_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 120.0, 300.0)
ARRIVAL_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400)


class Metric(msgspec.Struct, frozen=True):
    """One metric: where it is served, what it says, by which labels it is told apart."""

    name: str
    kind: MetricKind
    place: ServedBy
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    def add(self, amount: float = 1, **labels: str) -> None:
        """Count `amount` more."""
        self.made(labels).inc(amount)

    def set(self, value: float, **labels: str) -> None:
        """Note a value."""
        self.made(labels).set(value)

    def observe(self, seconds: Iterable[float], **labels: str) -> None:
        """Sort durations into their buckets: many at once, with one count for each bucket.

        The library's own `observe` takes one after the other, and a lock twice for each.
        """
        into, known = self.made(labels), [max(0.0, one) for one in seconds]
        if not known:
            return
        into._sum.inc(sum(known))
        for at, count in Counter(map(partial(bisect_left, self.bounds), known)).items():
            into._buckets[at].inc(count)

    @property
    def bounds(self) -> tuple[float, ...]:
        """The highest value of each bucket of a histogram."""
        return (*self.buckets, math.inf)

    def made(self, labels: Mapping[str, str]) -> Any:
        """The library's own object for these labels; it shows 0 from now on."""
        found = _made(self)
        return found.labels(**labels) if self.labels else found

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which Prometheus stores it."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{end}" for end in ("bucket", "count", "sum"))
        return (self.name,)


def of_ingest(name: str, text: str) -> Metric:
    """What only grows in ingest, by source, `otzyv_ingest_NAME_total`."""
    return Metric(f"otzyv_ingest_{name}_total", "counter", "ingest", text, ("source",))


def counter(name: str, text: str, *labels: str) -> Metric:
    """What only grows in a worker, `otzyv_NAME_total`."""
    return Metric(f"otzyv_{name}_total", "counter", "worker", text, labels)


def histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...]) -> Metric:
    """Durations of a worker's, `otzyv_NAME_seconds`."""
    return Metric(f"otzyv_{name}_seconds", "histogram", "worker", text, labels, buckets)


def gauge(name: str, text: str, *labels: str, place: ServedBy = "beat") -> Metric:
    """What goes up and down, `otzyv_NAME`."""
    return Metric(f"otzyv_{name}", "gauge", place, text, labels)


INGEST_MESSAGES = of_ingest("messages", "Messages taken in and acknowledged.")
INGEST_REVIEWS = of_ingest("reviews_stored", "Reviews stored, those that were there already included.")
INGEST_REJECTED = of_ingest("rejected", "Reviews and whole messages rejected with a reason.")
INGEST_WAITS = of_ingest(
    "waits", "Times that taking in had to wait for RabbitMQ, PostgreSQL or room in the next queue."
)

STAGE_SEEN = counter("stage_reviews_seen", "Reviews put before a stage.", "stage")
STAGE_KEPT = counter("stage_reviews_kept", "Reviews whose label is a stage's verdict.", "stage")
STAGE_PASSED = counter(
    "stage_reviews_passed_on",
    "Reviews of which a stage was unsure: to the next stage, or after the last one to a person.",
    "stage",
)
STAGE_ABSTAINED = counter(
    "stage_reviews_abstained",
    "Reviews about which a stage said nothing; they count as passed on too.",
    "stage",
)
STAGE_WITHHELD = counter(
    "stage_reviews_withheld",
    "Reviews whose label was withheld to measure a stage; they count as passed on too.",
    "stage",
)
STAGE_UNANSWERED = counter(
    "stage_reviews_unanswered", "Reviews that go on waiting because asking about them failed.", "stage"
)
STAGE_SECONDS = histogram(
    "stage_batch",
    "Time of one batch in a stage, from reading the texts to the committed labels.",
    "stage",
    buckets=BATCH_SECONDS,
)
LABEL_LATENCY = histogram(
    "label_latency",
    "From a review's arrival in PostgreSQL to its label, by the stage that ended it.",
    "stage",
    "status",
    buckets=ARRIVAL_SECONDS,
)

PREDICTIONS = counter("predictions", "Reviews predicted by the champion.")
PREDICTIONS_PARKED = counter("predictions_parked", "Times that a review was left to wait for a champion.")
PREDICTION_SECONDS = histogram("prediction_batch", "Time of one batch of predictions.", buckets=BATCH_SECONDS)
PREDICTION_LATENCY = histogram(
    "prediction_latency", "From a review's arrival in PostgreSQL to its prediction.", buckets=ARRIVAL_SECONDS
)
SERVED_MODEL = gauge(
    "served_model_id",
    "Number of the model that made a worker's newest predictions; another than the champion's means that this one "
    "cannot be loaded.",
    "taxonomy",
    place="worker",
)

TASK_RETRIES = counter("task_retries", "Batches that are tried again after a pause.", "queue")
TASK_SPLITS = counter("task_splits", "Batches that failed and were halved to find the bad review.", "queue")
TASK_FAILURES = counter("task_failures", "Batches of one review that can never be processed.", "queue")
TASK_DEAD = counter(
    "task_dead_letters", "Messages that a worker moved to the dead letters, whatever for.", "queue"
)
BREAKER_OPEN = gauge(
    "breaker_open",
    "1 where a worker has stopped consuming a queue because its batches failed in a row.",
    "queue",
    place="worker",
)
CONSUMING = gauge(
    "worker_consuming", "1 where a worker consumes a queue at the moment.", "queue", place="worker"
)

SERVICE_UP = gauge("service_up", "Whether RabbitMQ and PostgreSQL told about their state in time.", "service")
PUBLISHING_BLOCKED = gauge(
    "publishing_blocked", "1 where RabbitMQ takes no messages because of an alarm of its own.", "alarm"
)
QUEUE_MESSAGES = gauge(
    "queue_messages", "Messages ready in a queue, those being worked on not included.", "queue"
)
QUEUE_CONSUMERS = gauge("queue_consumers", "Consumers of a queue.", "queue")
QUEUE_LIMIT = gauge("queue_limit_messages", "Messages from which on a queue refuses more.", "queue")
QUEUE_DEAD = gauge("dead_letters", "Messages in the dead-letter queue of a queue.", "queue")
QUEUE_AWAY = gauge("queue_away", "1 while RabbitMQ does not find the leader of a queue that it has.", "queue")
WAITING = gauge("reviews_waiting", "Reviews that wait for a stage.", "stage")
WAITING_AGE = gauge(
    "oldest_waiting_age_seconds",
    "For how long the oldest of them has been waiting for this stage; 0 where nobody is.",
    "stage",
)
UNPREDICTED = gauge("reviews_unpredicted", "Reviews that await a prediction and have been sent to a worker.")
UNPREDICTED_AGE = gauge(
    "oldest_unpredicted_age_seconds",
    "For how long the oldest of them has been stored; 0 where there is none.",
)
PARKED = gauge("reviews_parked", "Reviews that wait for a champion.")
FAILURES = gauge("failures", "Rows of the table failures.", "queue")
OLDEST_WAIT = gauge(
    "oldest_wait_seconds",
    "For how long the oldest of what fails and is tried again has waited; 0 where nothing does.",
)
MODEL_ID = gauge("model_id", "Number of the model that has an alias; 0 is none.", "alias", "taxonomy")
STUDENT_MODEL = gauge(
    "student_model_id", "Number of the model of which the stage student may keep labels; 0 is none."
)
ALARMS = gauge("quality_alarms", "Quality alarms about the predictions of today and yesterday (UTC).", "kind")
TRAINING_RUNS = gauge("training_runs", "Training runs by state.", "status")
LLM_TOKENS = gauge("llm_tokens_today", "Tokens of language models spent or set aside today (UTC).")
LLM_LIMIT = gauge("llm_daily_tokens_limit", "Tokens allowed a day; 0 is no limit.")

METRICS: Final[tuple[Metric, ...]] = tuple(value for value in globals().values() if isinstance(value, Metric))


@cache
def _made(metric: Metric) -> Any:
    # Times of creation are no use to Prometheus, and several processes' do not add up.
    prometheus_client.disable_created_metrics()
    # Of several children that set a gauge, the one that spoke last is right.
    options: dict[str, dict[str, Any]] = {
        "histogram": {"buckets": metric.buckets},
        "gauge": {"multiprocess_mode": "mostrecent"},
    }
    kind = getattr(prometheus_client, metric.kind.capitalize())
    return kind(metric.name, metric.help, metric.labels, **options.get(metric.kind, {}))


def count_stage(stage: str, counts: StageCounts) -> None:
    """What a stage did with some reviews."""
    STAGE_SEEN.add(counts.seen, stage=stage)
    STAGE_KEPT.add(counts.kept, stage=stage)
    STAGE_PASSED.add(counts.passed_on, stage=stage)
    STAGE_ABSTAINED.add(counts.abstained, stage=stage)
    STAGE_WITHHELD.add(counts.withheld, stage=stage)
    LABEL_LATENCY.observe(counts.kept_after_s, stage=stage, status="accepted")
    LABEL_LATENCY.observe(counts.to_people_after_s, stage=stage, status="needs_review")


def begin(metrics: Iterable[Metric], labels: Mapping[str, Sequence[str]]) -> None:
    """Show 0 from the start, for every value that labels are known to take: what grows from nothing is seen then."""
    for metric in metrics:
        if labels.keys() >= set(metric.labels):
            for values_of in product(*(labels[name] for name in metric.labels)):
                metric.made(dict(zip(metric.labels, values_of, strict=True)))


def share(folder: Path) -> CollectorRegistry:
    """Let this process and the children it forks count into files of a folder; returns what adds them up.

    One file per place in the pool, not per process: whoever takes the place of a child that died counts on from where
    it was, so that nothing is lost with it, and the folder does not grow. Call it before anything has been counted.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: str(getattr(current_process(), "index", "main")))
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    ProcessCollector(registry=registry)
    return registry
