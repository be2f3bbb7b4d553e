"""Celery's scheduler, but for one habit: it logs a page for each periodic task that cannot be sent."""

from __future__ import annotations

from typing import Any

import structlog
from celery.beat import PersistentScheduler, ScheduleEntry, SchedulingError

log = structlog.get_logger()


class Scheduler(PersistentScheduler):  # type: ignore[misc]  # Celery has no types
    """A task that cannot be sent, because RabbitMQ is away or takes no messages, is one line: its next time comes."""

    def apply_async(self, entry: ScheduleEntry, *arguments: Any, **named: Any) -> Any:
        """Send what is due."""
        try:
            return super().apply_async(entry, *arguments, **named)
        except SchedulingError as error:
            log.warning("beat.not_sent", task=entry.task, error=str(error.__context__ or error))
            return None
