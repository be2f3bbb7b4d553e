"""Every exchange, queue, route, dead-letter queue and limit, as one table.

Queues are quorum queues: they survive a broker's restart and count deliveries. A message that is rejected,
or delivered too often, moves to a dead-letter queue, at least once, and stays there until a person decides.
Exchanges are topic exchanges, because delayed retries on quorum queues need them.

There are two lanes: what comes by itself is live, what people send by the file is bulk. Each has queues of its own
along the whole way, and every process that works on one works on the other by turns. So a million reviews that were
enqueued do not stand before the next one that comes.

Arguments of a declared queue cannot change: a new limit needs a new queue name, or a RabbitMQ policy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import amqp.exceptions
import msgspec
from kombu import Connection, Exchange, Queue
from kombu.transport import native_delayed_delivery as delays

from shared.catalogue import GPU_QUEUE, STAGES
from shared.errors import ConfigurationError
from shared.settings import Settings

REVIEWS = Exchange("reviews", type="topic", durable=True)
TASKS = Exchange("tasks", type="topic", durable=True)
DEAD = Exchange("dead", type="topic", durable=True)

INCOMING_KEY = "incoming"

Lane = Literal["live", "bulk"]
LANES: Final[tuple[Lane, ...]] = ("live", "bulk")
"""In the order in which ingest stores what is due."""
_BULK = ".bulk"


class QueueSpec(msgspec.Struct, frozen=True):
    """One queue: where it is bound, how often a message may be delivered, where it goes then, how long it gets."""

    queue: str
    exchange: Exchange
    routing_key: str
    dead_letters: str
    deliveries: int
    max_messages: int
    max_bytes: int


_GIB = 2**30


def _of_tasks(name: str, max_messages: int) -> QueueSpec:
    return QueueSpec(name, TASKS, name, f"{name}.dead", 5, max_messages, _GIB)


# Every exit of ingest gives back all that it holds and counts as a delivery of each: a limit that a crash loop can
# reach would move reviews that nobody looked at to the rejected ones. Ingest rejects bad messages itself.
INCOMING = QueueSpec(
    "reviews.incoming", REVIEWS, INCOMING_KEY, "reviews.rejected", 1_000_000, 1_000_000, 4 * _GIB
)
# Batches of ids: 200,000 of them are a hundred million reviews.
STAGE_QUEUES = {name: _of_tasks(name, 200_000) for row in STAGES.values() for name in row.queues}
CPU_CLASSIFY = _of_tasks("cpu.classify", 200_000)
CPU_BACKFILL = _of_tasks("cpu.backfill", 10_000)
CPU_UPKEEP = _of_tasks("cpu.upkeep", 10_000)
GPU_TRAIN = _of_tasks("gpu.train", 10_000)

GPU_LABEL = STAGE_QUEUES[GPU_QUEUE]
CPU_STAGES = tuple(line for line in STAGE_QUEUES.values() if line != GPU_LABEL)

LINES = (INCOMING, *CPU_STAGES, CPU_CLASSIFY, CPU_BACKFILL, CPU_UPKEEP, GPU_LABEL, GPU_TRAIN)


def in_lane(line: QueueSpec, lane: Lane) -> QueueSpec:
    """The line itself, or its bulk twin, whose dead letters go where the line's own go."""
    if lane == "live":
        return line
    return msgspec.structs.replace(line, queue=line.queue + _BULK, routing_key=line.routing_key + _BULK)


def lane_of(routing_key: str) -> Lane:
    """The lane of a message, also of one that was delayed, whose routing key is longer."""
    return "bulk" if routing_key.endswith(_BULK) else "live"


INCOMING_LINES = (INCOMING, in_lane(INCOMING, "bulk"))
BULK_LINES = tuple(in_lane(line, "bulk") for line in (INCOMING, *CPU_STAGES, CPU_CLASSIFY, GPU_LABEL))

ALL_LINES = (*LINES, *BULK_LINES)

WORKER_LINES = {
    "cpu": tuple(line for line in ALL_LINES if line.queue.startswith("cpu.")),
    "gpu": (GPU_LABEL, in_lane(GPU_LABEL, "bulk")),
    "train": (GPU_TRAIN,),
}
"""What a kind of worker consumes."""

# The names of tasks on the wire, which stay when code moves: messages of the version before lie in queues.
TAKE_IN: Final = "workers.intake.take_in"  # never on the wire: see workers.process.taking
CLASSIFY: Final = "workers.prediction.classify"
BACKFILL: Final = "workers.backfill.part"
SWEEP: Final = "workers.upkeep.sweep"
WATCH_QUALITY: Final = "workers.upkeep.watch_quality"
RETRAIN: Final = "workers.upkeep.retrain"
WAKE: Final = "workers.training.wake"


def stage_task(stage: str) -> str:
    """The name of a stage's task."""
    return f"workers.labelling.{stage}"


def stage_lines(settings: Settings) -> dict[str, QueueSpec]:
    """Which queue each stage's batches go to, by the settings that all processes share."""
    return {name: STAGE_QUEUES[row.queue_by(settings)] for name, row in STAGES.items()}


def stages_of(kind: str, settings: Settings) -> list[str]:
    """The stages that a kind of worker runs."""
    return [stage for stage, line in stage_lines(settings).items() if line in WORKER_LINES[kind]]


def task_lines(settings: Settings) -> dict[str, QueueSpec]:
    """Which queue a task goes to, in the live lane. A task that is not in this table cannot be sent."""
    return {
        **{stage_task(stage): line for stage, line in stage_lines(settings).items()},
        CLASSIFY: CPU_CLASSIFY,
        BACKFILL: CPU_BACKFILL,
        SWEEP: CPU_UPKEEP,
        WATCH_QUALITY: CPU_UPKEEP,
        RETRAIN: CPU_UPKEEP,
        WAKE: GPU_TRAIN,
    }


def queue(line: QueueSpec) -> Queue:
    """The queue of a line, with every argument it is declared with."""
    arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": line.deliveries,
        "x-dead-letter-exchange": DEAD.name,
        "x-dead-letter-routing-key": line.dead_letters,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-max-length": line.max_messages,
        "x-max-length-bytes": line.max_bytes,
    }
    return Queue(line.queue, line.exchange, line.routing_key, durable=True, queue_arguments=arguments)


def task_queues() -> list[Queue]:
    """The queues that have tasks in them, in every lane."""
    return [queue(line) for line in ALL_LINES if line.exchange is TASKS]


def queue_of(task: str, routing_key: str, settings: Settings) -> str:
    """The queue that a task's message came from."""
    return in_lane(task_lines(settings)[task], lane_of(routing_key)).queue


def dead_letter_queue(line: QueueSpec) -> Queue:
    """The queue in which a line's dead letters wait for a person."""
    name = line.dead_letters
    return Queue(name, DEAD, name, durable=True, queue_arguments={"x-queue-type": "quorum"})


def declare(connection: Connection, lines: Iterable[QueueSpec] = ALL_LINES) -> None:
    """Create what is missing. Raises ConfigurationError where a queue exists with other arguments."""
    with connection.channel() as channel:
        for line in lines:
            for declared in (dead_letter_queue(line), queue(line)):
                try:
                    declared(channel).declare()
                except amqp.exceptions.PreconditionFailed as error:
                    raise ConfigurationError(
                        f"queue {declared.name}: expected the arguments of workers/rabbitmq/topology.py, found it "
                        f"declared otherwise ({error}); drain and delete that queue, or use another virtual host"
                    ) from error


def declare_delays(connection: Connection) -> None:
    """The exchanges of Celery's delayed delivery, before a worker declares the queues between them.

    Each queue names the next level's exchange for its dead letters, and comes before it: RabbitMQ warns of every one.
    """
    with connection.channel() as channel:
        for name in (
            *map(delays.level_name, range(delays.MAX_LEVEL + 1)),
            delays.CELERY_DELAYED_DELIVERY_EXCHANGE,
        ):
            Exchange(name, type="topic")(channel).declare()


def route(line: QueueSpec) -> dict[str, str]:
    """Exchange and routing key of a line's tasks, for Celery."""
    return {"exchange": line.exchange.name, "routing_key": line.routing_key, "queue": line.queue}
