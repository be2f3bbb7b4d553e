"""How every task is sent. Each function returns once RabbitMQ has confirmed all of its messages.

While RabbitMQ has blocked publishing, that is waited for as long as for any other answer; then PublishingBlocked is
raised, and at once from then on. Where nothing can be sent the store keeps what is to be done, and the sweep sends it.

What is sent is JSON: positional arguments of which the first is a list of review ids, empty where a task has none.
`workers.rabbitmq.topology` has the names of the tasks and their queues.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from shared.errors import PublishingBlocked
from shared.intake.intake import Stored
from shared.reviews.wire import Rejected
from shared.settings import settings
from workers.app import app
from workers.rabbitmq import connection, topology
from workers.rabbitmq.topology import Lane, QueueSpec


def to_stage(stage: str, review_ids: Sequence[int], taxonomy_id: int, lane: Lane = "live") -> None:
    """Send reviews to a stage, a batch per message."""
    line = topology.stage_lines(settings())[stage]
    _send_batches(topology.stage_task(stage), line, review_ids, taxonomy_id, lane)


def what_follows(stored: Stored, taxonomy_id: int, lane: Lane = "live") -> None:
    """Send what a transaction of intake has left to do."""
    for stage, review_ids in stored.to_stages.items():
        to_stage(stage, review_ids, taxonomy_id, lane)
    to_be_predicted(stored.unpredicted, taxonomy_id, lane)


def to_be_predicted(review_ids: Sequence[int], taxonomy_id: int, lane: Lane = "live") -> None:
    """Send reviews to the champion, a batch per message."""
    _send_batches(topology.CLASSIFY, topology.CPU_CLASSIFY, review_ids, taxonomy_id, lane)


def _send_batches(
    task: str, line: QueueSpec, review_ids: Sequence[int], taxonomy_id: int, lane: Lane
) -> None:
    size, route = settings().batch_rows, topology.route(topology.in_lane(line, lane))
    for start in range(0, len(review_ids), size):
        _send(task, (list(review_ids[start : start + size]), taxonomy_id), **route)


def backfill_part(backfill: int, number: int, countdown: int | None = None) -> None:
    """Send a part of a backfill, which comes after so many seconds."""
    _send(topology.BACKFILL, ([], backfill, number), countdown=countdown)


def wake_trainer(run: int) -> None:
    """Let a training worker look for runs now."""
    _send(topology.WAKE, ([], run))


def rejected(items: Sequence[Rejected]) -> None:
    """Put what ingest has rejected into its dead-letter queue, with the reasons; confirmed, as tasks are."""
    if not items:
        return
    with _producer() as producer:
        topology.dead_letter_queue(topology.INCOMING)(producer.channel).declare()
        for item in items:
            producer.publish(
                item.payload,
                exchange=topology.DEAD.name,
                routing_key=topology.INCOMING.dead_letters,
                content_type="application/octet-stream",
                content_encoding="binary",
                headers={"reason": item.reason[:1_000]},
                delivery_mode=2,
                mandatory=True,
                confirm_timeout=settings().broker_timeout_s,
            )


def sweep() -> None:
    """Let the sweep come now: it sends what waited for a champion. It comes by itself, but later."""
    _send(topology.SWEEP, ())


def _send(task: str, arguments: tuple[object, ...], **how: Any) -> None:
    with _producer() as producer:
        limit_s = settings().broker_timeout_s
        app.send_task(task, args=arguments, producer=producer, confirm_timeout=limit_s, **how)


@contextmanager
def _producer() -> Iterator[Any]:
    """A producer of Celery's pool.

    kombu throws the connection of a failed message away. One on which RabbitMQ has blocked publishing is kept: it alone
    hears when that ends, and until then no other is opened to send the same again.
    """
    with connection.translated(), ExitStack() as stack:
        producer = stack.enter_context(app.producer_pool.acquire(block=True))
        try:
            yield producer
        except PublishingBlocked:
            stack.pop_all()
            producer.release()
            raise
