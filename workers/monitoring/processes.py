"""What each kind of process shows while it runs: its log lines, its metrics, its health."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from prometheus_client import REGISTRY

from shared.settings import Settings
from workers.monitoring import metrics
from workers.monitoring.endpoint import served
from workers.monitoring.health import Health
from workers.monitoring.system_state import SystemState, WorkerState
from workers.process import log_lines
from workers.process.breaker import breaker
from workers.process.consuming import consumed_queues, worker_state
from workers.rabbitmq import topology


@contextmanager
def ingest(settings: Settings, source: str) -> Iterator[None]:
    """`otzyv ingest`, which takes messages from `source`."""
    log_lines.install(settings)
    metrics.begin(_of("ingest"), {"source": [source]})
    with served(settings, REGISTRY, Health(settings)):
        yield


@contextmanager
def worker(settings: Settings, kind: Literal["cpu", "gpu", "train"]) -> Iterator[None]:
    """`otzyv worker`: one page for the main process and its children."""
    log_lines.install(settings)
    takes_in = kind == "cpu" and settings.judge_first
    lines = (*topology.WORKER_LINES[kind], *(topology.INCOMING_LINES if takes_in else ()))
    queues = [line.queue for line in lines]
    with ExitStack() as stack:
        registry = REGISTRY
        if kind == "cpu" and settings.metrics_port:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="otzyv-metrics-"))
            registry = metrics.share(Path(folder))
        # What nobody adds up but the main process itself tells.
        told = {metrics.CONSUMING: consumed_queues, metrics.BREAKER_OPEN: breaker.open_queues}
        registry.register(WorkerState(queues, told))
        in_use = [name for name in topology.stages_of(kind, settings) if name in settings.stages]
        left_out = {*told, *(() if kind == "cpu" else _PREDICTING)}
        shown = [one for one in _of("worker") if one not in left_out]
        shown += _of("ingest") if takes_in else []
        known = {"queue": queues, "stage": in_use, "source": [topology.INCOMING.queue]}
        metrics.begin(shown, known)
        with served(settings, registry, Health(settings, {"worker": lambda: worker_state(queues)})):
            yield


@contextmanager
def beat(settings: Settings) -> Iterator[None]:
    """`otzyv beat`, which tells about the broker and the store for all."""
    log_lines.install(settings)
    if settings.metrics_port:
        REGISTRY.register(SystemState(settings))
    with served(settings, REGISTRY, Health(settings)):
        yield


def _of(place: metrics.ServedBy) -> list[metrics.Metric]:
    return [one for one in metrics.METRICS if one.place == place]


# What only workers of one kind do.
_PREDICTING = (
    metrics.PREDICTIONS, metrics.PREDICTIONS_PARKED, metrics.PREDICTION_SECONDS, metrics.PREDICTION_LATENCY,
)  # fmt: skip
