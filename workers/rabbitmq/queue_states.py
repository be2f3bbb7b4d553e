"""What RabbitMQ tells of every queue: messages, consumers, dead letters."""

from __future__ import annotations

from itertools import product

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
        for line, lane in product(topology.LINES, topology.LANES):
            if (one := topology.in_lane(line, lane)) in topology.ALL_LINES:
                messages, consumers = counted(connection, topology.queue(one))
                # Dead letters of both lanes are in one queue, and counted once.
                dead = counted(connection, topology.dead_letter_queue(line))[0] if lane == "live" else 0
                states.append(QueueState(one, messages, consumers, dead or 0))
    return states


def depth(settings: Settings, line: QueueSpec) -> int:
    """Messages that wait in both lanes of a line, not counting those being worked on. Raises BrokerUnavailable."""
    with connected(settings) as connection:
        lanes = (line, topology.in_lane(line, "bulk"))
        return sum(counted(connection, topology.queue(one))[0] or 0 for one in lanes)


def counted(connection: Connection, queue: Queue) -> tuple[int | None, int]:
    """Messages that wait in a queue, None where there is no such queue, and its consumers."""
    with connection.channel() as channel:
        try:
            declared = queue(channel).queue_declare(passive=True)
        except amqp.exceptions.NotFound:
            return None, 0
    return declared.message_count, declared.consumer_count
