"""Which queues this process's Celery worker consumes at the moment: Celery's own state, read from outside of it."""

from __future__ import annotations

from typing import Any

from celery import bootsteps

from workers.process.breaker import breaker


class Consuming:
    """Knows the worker's consumer once there is one. A lost connection ends it; Celery then makes another."""

    consumer: Any = None

    @property
    def queues(self) -> list[str]:
        """The queues it consumes now."""
        tasks = getattr(self.consumer, "task_consumer", None)
        return sorted(queue.name for queue in tasks.queues if tasks.consuming_from(queue)) if tasks else []


consuming = Consuming()


class TellConsuming(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """The part of it in a worker's main process."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        """The consumer is there."""
        consuming.consumer = consumer

    def stop(self, _consumer: Any) -> None:
        """It goes, with its connection or with the worker."""
        consuming.consumer = None


def worker_state(wanted: list[str]) -> str | None:
    """What keeps a worker from consuming the queues it is for; None where nothing does.

    A queue that the breaker has stopped counts as consumed: starting the worker anew would only go on failing.
    """
    missing = sorted(set(wanted) - set(consuming.queues) - set(breaker.open_queues()))
    return f"consumes nothing from {', '.join(missing)}" if missing else None
