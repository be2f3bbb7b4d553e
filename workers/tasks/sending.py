"""How every task is sent. Each function returns once RabbitMQ has confirmed all of its messages.

What is sent is JSON: positional arguments of which the first is a list of review ids, empty where a task has none.
`workers.rabbitmq.topology` has the names of the tasks and their queues.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.settings import settings
from workers.app import app
from workers.rabbitmq import connection, topology
from workers.rabbitmq.topology import Lane, QueueSpec


def to_stage(stage: str, review_ids: Sequence[int], taxonomy_id: int, lane: Lane = "live") -> None:
    """Send reviews to a stage, a batch per message."""
    line = topology.stage_lines(settings())[stage]
    _send_batches(topology.stage_task(stage), line, review_ids, taxonomy_id, lane)


def to_be_predicted(review_ids: Sequence[int], taxonomy_id: int, lane: Lane = "live") -> None:
    """Send reviews to the champion, a batch per message."""
    _send_batches(topology.CLASSIFY, topology.CPU_CLASSIFY, review_ids, taxonomy_id, lane)


def _send_batches(
    task: str, line: QueueSpec, review_ids: Sequence[int], taxonomy_id: int, lane: Lane
) -> None:
    size, route = settings().batch_rows, topology.route(topology.in_lane(line, lane))
    with connection.translated():
        for start in range(0, len(review_ids), size):
            app.send_task(task, args=(list(review_ids[start : start + size]), taxonomy_id), **route)


def backfill_part(backfill: int, number: int, countdown: int | None = None) -> None:
    """Send a part of a backfill, which comes after so many seconds."""
    with connection.translated():
        app.send_task(topology.BACKFILL, args=([], backfill, number), countdown=countdown)


def wake_trainer(run: int) -> None:
    """Let a training worker look for runs now."""
    with connection.translated():
        app.send_task(topology.WAKE, args=([], run))


def sweep() -> None:
    """Let the sweep come now: it sends what waited for a champion. It comes by itself, but later."""
    with connection.translated():
        app.send_task(topology.SWEEP)
