"""What RabbitMQ says of a queue that is not to be had, and whether the queue or its leader is missing."""

from __future__ import annotations

import amqp.exceptions
import pytest

from shared.errors import BrokerUnavailable
from workers.rabbitmq import topology
from workers.rabbitmq.connection import is_away, translated
from workers.rabbitmq.queue_states import QueueState, leaders_away, refuse_away

# From RabbitMQ 3.10.8 and 4.0.5, all with the code 404.
AWAY = [
    "NOT_FOUND - home node 'rabbit@one' of durable queue 'shop' in vhost '/' is down or inaccessible",
    "NOT_FOUND - failed to perform operation on queue 'shop' in vhost '/' due to timeout",
    "NOT_FOUND - queue 'shop' in vhost '/' process is stopped by supervisor",
    "NOT_FOUND - queue 'shop' in vhost '/' has crashed and failed to restart",
]
MISSING = "NOT_FOUND - no queue 'shop' in vhost '/'"


def not_found(text: str) -> amqp.exceptions.NotFound:
    return amqp.exceptions.NotFound(text, (50, 10), "Queue.declare")


@pytest.mark.parametrize("text", AWAY)
def test_a_queue_without_its_leader_is_away_and_may_come_back(text: str) -> None:
    with pytest.raises(BrokerUnavailable) as told, translated():
        raise not_found(text)
    assert str(told.value).startswith(
        f"a queue: expected its leader to be there, found it away ({text}); start"
    )


def test_a_queue_that_is_not_there_is_not_away() -> None:
    assert not is_away(not_found(MISSING))
    with pytest.raises(BrokerUnavailable, match="declared anew on the next try"), translated():
        raise not_found(MISSING)


def test_every_queue_that_is_away_is_named_and_no_other_and_dead_letters_of_both_lanes_once() -> None:
    line = topology.INCOMING
    bulk = topology.in_lane(line, "bulk")
    there = [QueueState(line, None, 0, 0), QueueState(bulk, 3, 1, 0)]
    refuse_away(there)
    assert leaders_away(there) == dict.fromkeys((line.queue, line.dead_letters, bulk.queue), False)
    gone = [QueueState(line, None, 0, 0, (line.queue, line.dead_letters)), QueueState(bulk, 1, 0, 0)]
    assert [name for name, away in leaders_away(gone).items() if away] == [line.queue, line.dead_letters]
    with pytest.raises(BrokerUnavailable, match=r"^reviews.incoming, reviews.rejected: expected its leader"):
        refuse_away(gone)


def test_a_wait_that_is_over_names_a_cluster_without_its_majority() -> None:
    with (
        pytest.raises(BrokerUnavailable, match=r"\(timed out\).*in a cluster that most of its nodes do$"),
        translated(),
    ):
        raise TimeoutError("timed out")
