"""Figures of broker and store, read when Prometheus asks beat for them. Other processes would only repeat them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, get_args

from prometheus_client import Metric as Family
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from psycopg2.extensions import cursor as Cursor

from shared.catalogue import STUDENT
from shared.errors import OtzyvError, PublishingBlocked
from shared.quality.drift import AlarmKind
from shared.runtime import runtime
from shared.serving import standing
from shared.serving.standing import chooses
from shared.settings import Settings
from shared.store import taxonomies
from shared.store.reports import state
from shared.store.runs import Status
from workers.monitoring import metrics
from workers.monitoring.metrics import Metric
from workers.monitoring.recent import Late, Recent
from workers.rabbitmq import topology
from workers.rabbitmq.blocked import ALARMS, OTHER, alarms_in
from workers.rabbitmq.queue_states import check_takes_messages, leaders_away, queue_states

KEPT_S: Final = 5.0
"""Seconds for which figures count, however often somebody asks."""
LIMIT_S: Final = 8.0
"""Seconds after which a service is given up for this time: Prometheus waits for ten."""


def family(metric: Metric, figures: Mapping[Any, float]) -> Family:
    """A gauge as the library wants it. Figures are by the label's value, or a tuple of values in the metric's order."""
    made = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in figures.items():
        made.add_metric((labels,) if isinstance(labels, str) else labels, value)
    return made


class WorkerState(Collector):
    """What the main process of a worker knows about its queues, for it and its children."""

    def __init__(self, queues: Sequence[str], of_which: Mapping[Metric, Callable[[], Sequence[str]]]) -> None:
        self._queues, self._of_which = queues, of_which

    def collect(self) -> Iterator[Family]:
        """1 or 0 for each queue of this kind of worker: whether it is of those that the metric is about."""
        for metric, found in self._of_which.items():
            names = found()
            yield family(metric, {queue: float(queue in names) for queue in self._queues})


class SystemState(Collector):
    """Queues, backlog, failures, models, alarms, training runs, tokens. A service that does not tell has no figures."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.hasty.model_copy(update={"database_connections": 1})
        self._taxonomy = runtime.load_taxonomy(settings)
        self._database = runtime.open_database(self._settings, "otzyv metrics")
        self._queues = Recent(lambda: queue_states(self._settings), keep_s=KEPT_S, limit_s=LIMIT_S)
        self._alarms = Recent(lambda: alarms(self._settings), keep_s=KEPT_S, limit_s=LIMIT_S)
        self._store = Recent(self._read, keep_s=KEPT_S, limit_s=LIMIT_S)

    def collect(self) -> Iterator[Family]:
        """Everything that is known now."""
        for service in (self._queues, self._alarms):
            service.begin()
        store, queues, blocking = _known(self._store), _known(self._queues), _known(self._alarms)
        up = {"broker": float(queues is not None), "database": float(store is not None)}
        yield family(metrics.SERVICE_UP, up)
        if queues is not None:
            there = [one for one in queues if one.messages is not None]
            yield family(metrics.QUEUE_MESSAGES, {one.line.queue: one.messages or 0 for one in there})
            yield family(metrics.QUEUE_CONSUMERS, {one.line.queue: one.consumers for one in there})
            yield family(metrics.QUEUE_LIMIT, {one.line.queue: one.line.max_messages for one in there})
            yield family(
                metrics.QUEUE_AWAY, {name: float(gone) for name, gone in leaders_away(queues).items()}
            )
            told = [one for one in there if one.line.dead_letters not in one.away]
            yield family(metrics.QUEUE_DEAD, {one.line.queue: one.dead for one in told})
        if blocking is not None:
            yield family(metrics.PUBLISHING_BLOCKED, dict.fromkeys((*ALARMS, OTHER), 0) | blocking)
        if store is not None:
            yield from self._of_store(*store)

    def describe(self) -> Iterable[Family]:
        """Nothing: the registry would otherwise collect once to learn the names."""
        return ()

    def _read(self) -> tuple[state.State, int]:
        """What the store holds, and which model may be the student."""
        with self._database.transaction() as cursor:
            return state.read(cursor, datetime.now(UTC).date()), self._student(cursor)

    def _student(self, cursor: Cursor) -> int:
        taxonomy, stages = self._taxonomy, self._settings.stages
        number = taxonomies.find(cursor, taxonomy.name, taxonomy.version)
        if number is None:
            return 0
        chosen = chooses(self._settings.thresholds)
        found = standing.standing(cursor, taxonomy.name, number, taxonomy.slugs, stages, chosen=chosen)
        return found.model.id if found.model is not None and found.certified else 0

    def _of_store(self, store: state.State, student: int) -> Iterator[Family]:
        stages = dict.fromkeys((*self._settings.stages, *store.waiting))
        nobody = state.Backlog(0, 0.0)
        waiting = {stage: store.waiting.get(stage, nobody) for stage in stages}
        yield family(metrics.WAITING, {stage: backlog.count for stage, backlog in waiting.items()})
        yield family(metrics.WAITING_AGE, {stage: backlog.oldest_s for stage, backlog in waiting.items()})
        yield family(metrics.UNPREDICTED, {(): store.unpredicted.count})
        yield family(metrics.UNPREDICTED_AGE, {(): store.unpredicted.oldest_s})
        yield family(metrics.PARKED, {(): store.parked})
        queues = (line.queue for line in topology.LINES)
        yield family(metrics.FAILURES, dict.fromkeys(queues, 0) | store.failures)
        yield family(metrics.OLDEST_WAIT, {(): store.oldest_wait_s})
        models = {(self._taxonomy.name, "champion"): 0} | store.models
        yield family(metrics.MODEL_ID, {names[::-1]: number for names, number in models.items()})
        if STUDENT in stages:
            yield family(metrics.STUDENT_MODEL, {(): student})
        yield family(metrics.ALARMS, dict.fromkeys(get_args(AlarmKind), 0) | store.alarms)
        yield family(metrics.TRAINING_RUNS, dict.fromkeys(get_args(Status), 0) | store.runs)
        yield family(metrics.LLM_TOKENS, {(): store.tokens_today})
        yield family(metrics.LLM_LIMIT, {(): self._settings.llm_daily_tokens})


def alarms(settings: Settings) -> dict[str, float]:
    """1 for each alarm for which RabbitMQ has blocked publishing. Raises BrokerUnavailable."""
    try:
        check_takes_messages(settings)
    except PublishingBlocked as error:
        return dict.fromkeys(alarms_in(str(error)) or [OTHER], 1.0)
    return {}


def _known(recent: Recent[Any]) -> Any:
    try:
        return recent.get()
    except (Late, OtzyvError):
        return None
