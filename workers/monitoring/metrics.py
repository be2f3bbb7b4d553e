"""Every metric of Otzyv as one table, and how a process counts.

Lives here: names, help texts, labels, buckets. Not here: who serves them (`workers.monitoring.endpoint`), and the
figures of the store and the broker, which `workers.monitoring.system_state` reads when somebody asks.
docs/monitoring.md shows the same table; a test keeps the two together, and the alerts and the dashboard in ops/ too.

Nothing is made before it is first used: whether children share their counts has to be known by then.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import prometheus_client
from billiard.process import current_process
from prometheus_client import CollectorRegistry, ProcessCollector, values
from prometheus_client.multiprocess import MultiProcessCollector

MetricKind = Literal["counter", "gauge", "histogram"]
ServedBy = Literal["ingest", "worker", "beat"]

BATCH_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 120.0, 300.0)
ARRIVAL_SECONDS: Final = (
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0,
)  # fmt: skip


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
        """Sort durations into their buckets."""
        into = self.made(labels)
        for one in seconds:
            into.observe(max(0.0, one))

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


INGEST_MESSAGES = Metric(
    "otzyv_ingest_messages_total", "counter", "ingest", "Messages taken in and acknowledged.", ("source",)
)
INGEST_REVIEWS = Metric(
    "otzyv_ingest_reviews_stored_total", "counter", "ingest",
    "Reviews stored, those that were there already included.", ("source",),
)  # fmt: skip
INGEST_REJECTED = Metric(
    "otzyv_ingest_rejected_total",
    "counter",
    "ingest",
    "Reviews and whole messages rejected with a reason.",
    ("source",),
)
INGEST_WAITS = Metric(
    "otzyv_ingest_waits_total", "counter", "ingest",
    "Times that ingest had to wait for RabbitMQ, PostgreSQL or room in the next queue.", ("source",),
)  # fmt: skip

STAGE_SEEN = Metric(
    "otzyv_stage_reviews_seen_total", "counter", "worker", "Reviews put before a stage.", ("stage",)
)
STAGE_KEPT = Metric(
    "otzyv_stage_reviews_kept_total",
    "counter",
    "worker",
    "Reviews whose label is a stage's verdict.",
    ("stage",),
)
STAGE_PASSED = Metric(
    "otzyv_stage_reviews_passed_on_total", "counter", "worker",
    "Reviews of which a stage was unsure: to the next stage, or after the last one to a person.", ("stage",),
)  # fmt: skip
STAGE_ABSTAINED = Metric(
    "otzyv_stage_reviews_abstained_total", "counter", "worker",
    "Reviews about which a stage said nothing; they count as passed on too.", ("stage",),
)  # fmt: skip
STAGE_UNANSWERED = Metric(
    "otzyv_stage_reviews_unanswered_total", "counter", "worker",
    "Reviews that go on waiting because asking about them failed.", ("stage",),
)  # fmt: skip
STAGE_SECONDS = Metric(
    "otzyv_stage_batch_seconds", "histogram", "worker",
    "Time of one batch in a stage, from reading the texts to the committed labels.", ("stage",), BATCH_SECONDS,
)  # fmt: skip
LABEL_LATENCY = Metric(
    "otzyv_label_latency_seconds", "histogram", "worker",
    "From a review's arrival in PostgreSQL to its label, by the stage that ended it.", ("stage", "status"),
    ARRIVAL_SECONDS,
)  # fmt: skip

PREDICTIONS = Metric("otzyv_predictions_total", "counter", "worker", "Reviews predicted by the champion.")
PREDICTIONS_PARKED = Metric(
    "otzyv_predictions_parked_total",
    "counter",
    "worker",
    "Times that a review was left to wait for a champion.",
)
PREDICTION_SECONDS = Metric(
    "otzyv_prediction_batch_seconds",
    "histogram",
    "worker",
    "Time of one batch of predictions.",
    (),
    BATCH_SECONDS,
)
PREDICTION_LATENCY = Metric(
    "otzyv_prediction_latency_seconds", "histogram", "worker",
    "From a review's arrival in PostgreSQL to its prediction.", (), ARRIVAL_SECONDS,
)  # fmt: skip
SERVED_MODEL = Metric(
    "otzyv_served_model_id", "gauge", "worker",
    "Number of the model that made a worker's newest predictions; another than the champion's means that this one "
    "cannot be loaded.", ("taxonomy",),
)  # fmt: skip

TASK_RETRIES = Metric(
    "otzyv_task_retries_total", "counter", "worker", "Batches that are tried again after a pause.", ("queue",)
)
TASK_SPLITS = Metric(
    "otzyv_task_splits_total", "counter", "worker", "Batches that failed and were halved to find the bad review.",
    ("queue",),
)  # fmt: skip
TASK_FAILURES = Metric(
    "otzyv_task_failures_total",
    "counter",
    "worker",
    "Batches of one review that can never be processed.",
    ("queue",),
)
TASK_DEAD = Metric(
    "otzyv_task_dead_letters_total", "counter", "worker",
    "Messages that a worker moved to the dead letters, whatever for.", ("queue",),
)  # fmt: skip
BREAKER_OPEN = Metric(
    "otzyv_breaker_open", "gauge", "worker",
    "1 where a worker has stopped consuming a queue because its batches failed in a row.", ("queue",),
)  # fmt: skip
CONSUMING = Metric(
    "otzyv_worker_consuming",
    "gauge",
    "worker",
    "1 where a worker consumes a queue at the moment.",
    ("queue",),
)

SERVICE_UP = Metric(
    "otzyv_service_up", "gauge", "beat", "Whether RabbitMQ and PostgreSQL told about their state in time.",
    ("service",),
)  # fmt: skip
QUEUE_MESSAGES = Metric(
    "otzyv_queue_messages", "gauge", "beat", "Messages ready in a queue, those being worked on not included.",
    ("queue",),
)  # fmt: skip
QUEUE_CONSUMERS = Metric("otzyv_queue_consumers", "gauge", "beat", "Consumers of a queue.", ("queue",))
QUEUE_LIMIT = Metric(
    "otzyv_queue_limit_messages", "gauge", "beat", "Messages from which on a queue refuses more.", ("queue",)
)
QUEUE_DEAD = Metric(
    "otzyv_dead_letters", "gauge", "beat", "Messages in the dead-letter queue of a queue.", ("queue",)
)
WAITING = Metric("otzyv_reviews_waiting", "gauge", "beat", "Reviews that wait for a stage.", ("stage",))
WAITING_AGE = Metric(
    "otzyv_oldest_waiting_age_seconds", "gauge", "beat",
    "For how long the oldest of them has been waiting for this stage; 0 where nobody is.", ("stage",),
)  # fmt: skip
UNPREDICTED = Metric(
    "otzyv_reviews_unpredicted",
    "gauge",
    "beat",
    "Reviews that await a prediction and have been sent to a worker.",
)
UNPREDICTED_AGE = Metric(
    "otzyv_oldest_unpredicted_age_seconds", "gauge", "beat",
    "For how long the oldest of them has been stored; 0 where there is none.",
)  # fmt: skip
PARKED = Metric("otzyv_reviews_parked", "gauge", "beat", "Reviews that wait for a champion.")
FAILURES = Metric("otzyv_failures", "gauge", "beat", "Rows of the table failures.", ("queue",))
MODEL_ID = Metric(
    "otzyv_model_id",
    "gauge",
    "beat",
    "Number of the model that has an alias; 0 is none.",
    ("alias", "taxonomy"),
)
ALARMS = Metric(
    "otzyv_quality_alarms", "gauge", "beat", "Quality alarms about the predictions of today and yesterday (UTC).",
    ("kind",),
)  # fmt: skip
TRAINING_RUNS = Metric("otzyv_training_runs", "gauge", "beat", "Training runs by state.", ("status",))
LLM_TOKENS = Metric(
    "otzyv_llm_tokens_today", "gauge", "beat", "Tokens of language models spent or set aside today (UTC)."
)
LLM_LIMIT = Metric("otzyv_llm_daily_tokens_limit", "gauge", "beat", "Tokens allowed a day; 0 is no limit.")

METRICS: Final[tuple[Metric, ...]] = tuple(value for value in globals().values() if isinstance(value, Metric))


@cache
def _made(metric: Metric) -> Any:
    # Times of creation are no use to Prometheus, and several processes' do not add up.
    prometheus_client.disable_created_metrics()
    if metric.kind == "histogram":
        return prometheus_client.Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets)
    if metric.kind == "gauge":
        # Of several children, the one that spoke last is right.
        return prometheus_client.Gauge(
            metric.name, metric.help, metric.labels, multiprocess_mode="mostrecent"
        )
    return prometheus_client.Counter(metric.name, metric.help, metric.labels)


def begin(metrics: Iterable[Metric], labels: Mapping[str, Sequence[str]]) -> None:
    """Show 0 from the start, for every value that labels are known to take: what grows from nothing is seen then."""
    for metric in metrics:
        known = [name for name in metric.labels if name in labels]
        if not metric.labels:
            metric.made({})
        elif len(known) == len(metric.labels) == 1:
            for value in labels[known[0]]:
                metric.made({known[0]: value})


def share(folder: Path) -> CollectorRegistry:
    """Let this process and the children it forks count into files of a folder; returns what adds them up.

    One file per place in the pool, not per process: whoever takes the place of a child that died counts on from where
    it was, so that nothing is lost with it, and the folder does not grow. Call it before anything has been counted.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue(process_identifier=_seat)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    ProcessCollector(registry=registry)
    return registry


def _seat() -> str:
    return str(getattr(current_process(), "index", "main"))
