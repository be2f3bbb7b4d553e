"""Celery's consumer, but for three habits: it acknowledges what it cannot read, so that nobody ever sees it again; it
does not say in words why it connects anew; and it leaves half-written what a child was to get when it closes.
"""

from __future__ import annotations

import structlog
from celery.concurrency.asynpool import AsynPool
from celery.worker import state
from celery.worker.consumer import Consumer
from kombu.message import Message

from shared.settings import settings
from workers.process import half_written
from workers.rabbitmq.connection import explained

log = structlog.get_logger()


class TaskConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Messages that cannot be read go to the dead letters. What is in them is not logged."""

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """A body that is compressed, or none of what its content type says."""
        log.error(
            "task.unreadable",
            content_type=str(message.content_type)[:100],
            bytes=len(message.body or b""),
            error=f"{type(exc).__name__}: {str(exc)[:200]}",
        )
        message.reject()

    def on_invalid_task(self, body: object, message: Message, exc: Exception) -> None:  # noqa: ARG002  Celery's names
        """A body of a content type that is not accepted, or one that is no task."""
        self.on_decode_error(message, exc)

    def on_close(self) -> None:
        """The connection is gone, or the worker is to stop."""
        pool = getattr(self.pool, "_pool", None)
        # One that is to end at once ends its children too.
        if isinstance(pool, AsynPool) and not state.should_terminate:
            half_written.finish(pool, settings().task_soft_limit_s)
        super().on_close()

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """RabbitMQ has closed the connection, a channel or a consumer."""
        log.warning("worker.reconnect", error=explained(exc))
        super().on_connection_error_after_connected(exc)
