"""Queues that RabbitMQ has and whose leader it does not find: never taken for queues that nobody has declared."""

from __future__ import annotations

import pytest
from kombu import Connection

from shared.errors import BrokerUnavailable
from shared.settings import Settings
from tests.support.processes import run
from tests.support.servers import rabbit_node
from workers.rabbitmq import topology
from workers.rabbitmq.confirmed import Confirmed
from workers.rabbitmq.dead_letters import DeadLetters
from workers.rabbitmq.queue_states import depth, queue_states

AWAY = ("reviews.incoming", "reviews.rejected", "cpu.keywords")
SENTENCE = "expected its leader to be there, found it away (NOT_FOUND - home node"


def test_a_queue_whose_leader_is_away_is_told_as_that_everywhere(settings: Settings) -> None:
    with rabbit_node() as node:
        own = settings.model_copy(update={"amqp_url": f"amqp://guest:guest@127.0.0.1:{node.port}//"})
        with Connection(own.amqp_url) as connection:
            for name in AWAY:  # of a type of which RabbitMQ tells it
                arguments = {"x-queue-type": "stream"}
                connection.channel().queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
        node.lose_leaders()

        states = queue_states(own)
        assert tuple(name for state in states for name in state.away) == AWAY
        with pytest.raises(BrokerUnavailable) as told:
            depth(own, topology.stage_lines(own)["keywords"])
        assert str(told.value).startswith(f"cpu.keywords: {SENTENCE}")
        with Confirmed(own, declare=False) as confirmed, pytest.raises(BrokerUnavailable) as told:
            DeadLetters(confirmed).count(topology.INCOMING)
        assert str(told.value).startswith(f"reviews.rejected: {SENTENCE}")
        with pytest.raises(BrokerUnavailable) as told, Confirmed(own):
            pass
        assert str(told.value).startswith(f"a queue: {SENTENCE}")

        health = run("health", settings=own)
        assert (health.returncode, health.stderr.split(" expected")[0]) == (75, f"error: {', '.join(AWAY)}:")
        assert "rabbitmq-diagnostics cluster_status" in health.stderr
        assert run("status", settings=own).stdout.count("leader away") == len(AWAY)
        listed = run("failures", "list", settings=own)
        assert f"dead letters not shown: reviews.rejected: {SENTENCE}" in listed.stderr
