"""The queues of incoming reviews, live and bulk, as ingest's source: RabbitMQ keeps what has not been acknowledged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from kombu import Connection, Consumer

from shared.reviews.wire import Rejected
from shared.settings import Settings
from workers.ingest import source
from workers.ingest.source import MessageSource, Receive
from workers.rabbitmq import topology
from workers.rabbitmq.topology import LANES
from workers.tasks import sending


class QueueSource(MessageSource):
    """Any number of processes may take messages from it; each message goes to one of them.

    Nobody has to ask for it, nothing can be lost, and the acknowledgement is RabbitMQ's note of what is stored.
    """

    name = topology.INCOMING.queue

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def place(self) -> dict[str, object]:
        """Its name: a queue has no positions."""
        return {"queue": self.name}

    @contextmanager
    def attached(self, connection: Connection, receive: Receive) -> Iterator[Sequence[Consumer]]:
        """A consumer for each lane.

        Few messages of the bulk lane are held: what is held of it already stands before a live one that comes now.
        """
        with ExitStack() as stack:
            consumers = []
            for lane in LANES:
                queue = topology.queue(topology.in_lane(topology.INCOMING, lane))
                most = source.most_held(self._settings, lane)
                opened = source.consumer(connection, queue, most, partial(receive, lane))
                consumers.append(stack.enter_context(stack.enter_context(opened)))
            yield consumers

    def keep_rejected(self, rejected: Sequence[Rejected]) -> None:
        """Put what was rejected, with the reason, where a person can look at it and send it again."""
        sending.rejected(rejected)
