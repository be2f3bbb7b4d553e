"""Which queues this process's Celery worker consumes at the moment: Celery's own state, read from outside of it."""

from __future__ import annotations

from workers.process.breaker import StopConsuming, breaker
from workers.process.taking import TakeIn


def consumed_queues() -> list[str]:
    """The queues that this process's worker consumes now."""
    tasks = getattr(StopConsuming.consumer, "task_consumer", None)
    found = [queue.name for queue in tasks.queues if tasks.consuming_from(queue)] if tasks else []
    return sorted([*found, *TakeIn.queues()])


def worker_state(wanted: list[str]) -> str | None:
    """What keeps a worker from consuming the queues it is for; None where nothing does.

    A queue that the breaker has stopped counts as consumed: starting the worker anew would only go on failing.
    """
    missing = sorted(set(wanted) - set(consumed_queues()) - set(breaker.open_queues()))
    return f"consumes nothing from {', '.join(missing)}" if missing else None
