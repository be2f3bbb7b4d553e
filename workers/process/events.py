"""Events of a worker, as Flower gets them, but for one habit of Celery's: a heartbeat is sent until that succeeds.

Celery 5.7.0 sends it in the worker's main process, and connects anew without end. Where RabbitMQ takes connections and
answers nothing, such a worker takes no batch, says nothing, and does not notice that its consumers are dead.
"""

from __future__ import annotations

from typing import Any

from celery.app.events import Events
from celery.events.dispatcher import EventDispatcher


class Dispatcher(EventDispatcher):  # type: ignore[misc]  # Celery has no types
    """Sends an event once; what fails is kept, and goes along with a later one."""

    def _publish(self, event: Any, producer: Any, routing_key: str, retry: bool = False, **named: Any) -> Any:  # noqa: ARG002  Celery's name
        return super()._publish(event, producer, routing_key, retry=False, **named)


class WorkerEvents(Events):  # type: ignore[misc]  # Celery has no types
    """With our dispatcher."""

    dispatcher_cls = "workers.process.events:Dispatcher"
