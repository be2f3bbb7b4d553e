"""What RabbitMQ tells of every queue: messages, consumers, dead letters; and whether it takes messages at all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

import amqp.exceptions
import msgspec
from kombu import Connection, Queue

from shared.errors import BrokerUnavailable
from shared.settings import Settings
from workers.rabbitmq import topology
from workers.rabbitmq.connection import away, connected, is_away
from workers.rabbitmq.topology import QueueSpec

NOWHERE: Final = "otzyv.nowhere"
"""No queue is bound with this key: RabbitMQ drops what is sent by it."""
_NOTHING: Final = (None, 0, ())


class QueueState(msgspec.Struct, frozen=True):
    """A queue as RabbitMQ tells of it; `messages` is None where it has not been declared yet, or is away.

    `away` names the queue, or the one of its dead letters, while RabbitMQ does not find its leader.
    """

    line: QueueSpec
    messages: int | None
    consumers: int
    dead: int
    away: tuple[str, ...] = ()


def queue_states(settings: Settings) -> list[QueueState]:
    """Every queue of the topology. Raises BrokerUnavailable.

    Where the first has not been declared, no other is asked for: RabbitMQ logs an error for each that is not there.
    """
    with connected(settings) as connection:
        connection.ensure_connection(max_retries=1)
        first, _, first_gone = _told(connection, topology.queue(topology.INCOMING))
        there = first is not None or bool(first_gone)
        states = []
        for line, lane in product(topology.LINES, topology.LANES):
            if (one := topology.in_lane(line, lane)) in topology.ALL_LINES:
                messages, consumers, gone = _told(connection, topology.queue(one)) if there else _NOTHING
                # Dead letters of both lanes are in one queue, and counted once.
                letters = topology.dead_letter_queue(line) if there and lane == "live" else None
                dead, _, gone_too = _told(connection, letters) if letters is not None else _NOTHING
                states.append(QueueState(one, messages, consumers, dead or 0, gone + gone_too))
    return states


def check_takes_messages(settings: Settings) -> None:
    """Raises PublishingBlocked while RabbitMQ takes none, and BrokerUnavailable.

    It tells that only to who sends one: this does, to no queue, by an exchange that every process of ours may write to.
    With a body: RabbitMQ blocks after a message's head, and would confirm one that ends there.
    """
    with connected(settings, on_blocked=lambda _why: None) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)
        channel = connection.channel()
        # Where nothing has been started yet, it would be an error to RabbitMQ.
        topology.TASKS(channel).declare()
        channel.basic_publish(channel.prepare_message(b"?"), topology.TASKS.name, NOWHERE)


def leaders_away(states: Sequence[QueueState]) -> dict[str, bool]:
    """Of every queue, those of dead letters too, whether its leader is away."""
    gone = {name for state in states for name in state.away}
    names = [name for state in states for name in (state.line.queue, state.line.dead_letters)]
    return {name: name in gone for name in names}


def refuse_away(states: Sequence[QueueState]) -> None:
    """Raises BrokerUnavailable where RabbitMQ does not find the leader of a queue."""
    names = [name for name, gone in leaders_away(states).items() if gone]
    if names:
        raise away(", ".join(names), "RabbitMQ has it and cannot reach it")


def _told(connection: Connection, queue: Queue) -> tuple[int | None, int, tuple[str, ...]]:
    """Messages, consumers, and the queue's name if it is away."""
    try:
        return (*counted(connection, queue), ())
    except BrokerUnavailable:
        return None, 0, (queue.name,)


def depth(settings: Settings, line: QueueSpec) -> int:
    """Messages that wait in both lanes of a line, not counting those being worked on. Raises BrokerUnavailable."""
    with connected(settings) as connection:
        lanes = (line, topology.in_lane(line, "bulk"))
        return sum(counted(connection, topology.queue(one))[0] or 0 for one in lanes)


def has_consumers(settings: Settings, line: QueueSpec) -> bool:
    """Whether anybody works on a line. Raises BrokerUnavailable."""
    with connected(settings) as connection:
        return counted(connection, topology.queue(line))[1] > 0


def counted(connection: Connection, queue: Queue) -> tuple[int | None, int]:
    """Messages that wait in a queue, None where there is no such queue, and its consumers.

    Raises BrokerUnavailable where there is one and its leader is away: nobody knows what waits in it.
    """
    with connection.channel() as channel:
        try:
            declared = queue(channel).queue_declare(passive=True)
        except amqp.exceptions.NotFound as error:
            if is_away(error):
                raise away(queue.name, error.reply_text) from error
            return None, 0
    return declared.message_count, declared.consumer_count
