"""Where ingest takes messages from: what a queue and a stream have in common, and how each is to behave."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

from kombu import Connection, Consumer, Queue
from kombu.message import Message as Delivery

from shared.reviews.wire import Message, Rejected
from shared.settings import Settings
from shared.store.streams import Step
from workers.rabbitmq.topology import Lane

Receive = Callable[[Lane, Delivery], None]


class Stopped(Exception):
    """Told to stop while waiting: what is held stays with the broker."""


class HeldMessage(NamedTuple):
    """A message that is not acknowledged yet, and what is in it."""

    delivery: Delivery
    message: Message


class MessageSource(ABC):
    """A queue or a stream to take messages from. What only some have to do, others leave as it is here."""

    name: str
    """As rows of `failures` name it."""

    @property
    @abstractmethod
    def place(self) -> dict[str, object]:
        """Where ingest is in it, for log lines."""

    @abstractmethod
    def attached(
        self, connection: Connection, receive: Receive
    ) -> AbstractContextManager[Sequence[Consumer]]:
        """Consumers that hand messages to `receive`: one for each lane, so that each is acknowledged by itself."""

    def claimed(self, is_stopping: Callable[[], bool]) -> AbstractContextManager[None]:  # noqa: ARG002
        """The right to read it. Waits for it; raises Stopped when ingest is to stop meanwhile."""
        return nullcontext()

    def check(self) -> None:  # noqa: B027
        """Raises PositionLost once that right is gone."""

    def step(self, held: Sequence[HeldMessage]) -> Step | None:  # noqa: ARG002
        """The way that a transaction with these messages goes along a stream; a queue has no positions."""
        return None

    def stored(self, step: Step | None) -> None:  # noqa: B027
        """That transaction has been committed."""

    def keep_rejected(self, rejected: Sequence[Rejected]) -> None:  # noqa: B027
        """Keep what was rejected where a person can send it again, besides its row in `failures`."""


def most_held(settings: Settings, lane: Lane) -> int:
    """Messages of a lane that ingest may hold unacknowledged."""
    return settings.ingest_prefetch_messages if lane == "live" else settings.ingest_bulk_messages


@contextmanager
def consumer(
    connection: Connection, queue: Queue, most: int, receive: Callable[[Delivery], None]
) -> Iterator[Consumer]:
    """A consumer of raw messages, on a channel of its own, that holds up to `most` of them unacknowledged."""
    with connection.channel() as channel:
        channel.auto_decode = False  # bodies stay bytes, whatever encoding a producer claims
        channel.basic_qos(0, most, a_global=False)
        yield Consumer(
            channel,
            [queue],
            on_message=receive,
            # kombu's own errors (a compressed body) are judged like any other message.
            on_decode_error=lambda delivery, _error: receive(delivery),
            auto_declare=False,
        )
