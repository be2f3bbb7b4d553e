"""A worker's events are told once: nobody waits for RabbitMQ over them."""

from __future__ import annotations

from typing import Any

from workers.app import app
from workers.process.events import Dispatcher


class Producer:
    """Notes how it is asked to publish, and fails."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def publish(self, _event: object, **named: Any) -> None:
        self.asked.append(named)
        raise OSError("no answer")


def test_an_event_that_cannot_be_sent_is_kept_and_not_tried_again_at_once() -> None:
    dispatcher = app.events.Dispatcher(enabled=False)
    assert isinstance(dispatcher, Dispatcher)
    dispatcher.producer = producer = Producer()
    dispatcher.enabled = True
    dispatcher.send("worker-heartbeat", retry=True)
    assert [asked["retry"] for asked in producer.asked] == [False]
    assert len(dispatcher._outbound_buffer) == 1
