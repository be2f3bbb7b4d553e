"""The queue `reviews.incoming` as ingest's source: RabbitMQ keeps what has not been acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from kombu import Connection, Consumer, Producer

from shared.reviews import Rejected
from shared.settings import Settings
from shared.store.streams import Step
from workers import source, topology
from workers.source import Held, Receive


class QueueSource:
    """Any number of processes may take messages from it; each message goes to one of them."""

    name = topology.INCOMING.queue

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def place(self) -> dict[str, object]:
        """Its name: a queue has no positions."""
        return {"queue": self.name}

    @contextmanager
    def claimed(self, is_stopping: Callable[[], bool]) -> Iterator[None]:  # noqa: ARG002
        """Nobody has to ask."""
        yield

    def check(self) -> None:
        """Nothing to lose."""

    @contextmanager
    def attached(self, connection: Connection, receive: Receive) -> Iterator[Consumer]:
        """A consumer of the queue."""
        most = self._settings.ingest_prefetch_messages
        with (
            source.consumer(connection, topology.queue(topology.INCOMING), most, receive) as consumer,
            consumer,
        ):
            yield consumer

    def step(self, held: Sequence[Held]) -> Step | None:  # noqa: ARG002
        """None: a queue has no positions."""
        return None

    def stored(self, step: Step | None) -> None:
        """Nothing to note: the acknowledgement is RabbitMQ's note."""

    def set_aside(self, connection: Connection, rejected: Sequence[Rejected]) -> None:
        """Put what was rejected, with the reason, where a person can look at it and send it again."""
        if not rejected:
            return
        with connection.channel() as channel:
            producer = Producer(channel, topology.DEAD, auto_declare=False)
            for item in rejected:
                producer.publish(
                    item.payload,
                    routing_key=topology.INCOMING.dead_letters,
                    content_type="application/octet-stream",
                    content_encoding="binary",
                    headers={"reason": item.reason[:1_000]},
                    delivery_mode=2,
                    mandatory=True,
                    confirm_timeout=self._settings.statement_timeout_s,
                )
