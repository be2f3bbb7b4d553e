"""What RabbitMQ tells of every queue: messages, consumers, dead letters."""

from __future__ import annotations

from typing import Any

import amqp.exceptions
import msgspec
from kombu import Connection, Queue

from shared.settings import Settings
from workers.rabbitmq import topology
from workers.rabbitmq.connection import connected
from workers.rabbitmq.topology import QueueSpec


class QueueState(msgspec.Struct, frozen=True):
    """A queue as RabbitMQ tells of it; `messages` is None where it has not been declared yet."""

    line: QueueSpec
    messages: int | None
    consumers: int
    dead: int


def queue_states(settings: Settings) -> list[QueueState]:
    """Every queue of the topology. Raises BrokerUnavailable."""
    with connected(settings) as connection:
        connection.ensure_connection(max_retries=1)
        states = []
        for line in topology.LINES:
            states.append(_state(connection, line))
            twin = topology.in_lane(line, "bulk")
            if twin in topology.BULK_LINES:
                # Dead letters of both lanes are in one queue, and counted once.
                states.append(msgspec.structs.replace(_state(connection, twin), dead=0))
    return states


def depth(settings: Settings, line: QueueSpec) -> int:
    """Messages that wait in both lanes of a line, not counting those being worked on. Raises BrokerUnavailable."""
    with connected(settings) as connection:
        lanes = (line, topology.in_lane(line, "bulk"))
        return sum(counted(connection, topology.queue(one))[0] or 0 for one in lanes)


def _state(connection: Connection, line: QueueSpec) -> QueueState:
    messages, consumers = counted(connection, topology.queue(line))
    dead, _ = counted(connection, topology.dead_letter_queue(line))
    return QueueState(line, messages, consumers, dead or 0)


def counted(connection: Connection, queue: Queue) -> tuple[int | None, int]:
    """Messages that wait in a queue, None where there is no such queue, and its consumers."""
    channel: Any = connection.channel()
    try:
        declared = queue(channel).queue_declare(passive=True)
    except amqp.exceptions.NotFound:
        return None, 0
    else:
        return declared.message_count, declared.consumer_count
    finally:
        channel.close()
