"""What RabbitMQ says about a stream, in sentences with a remedy; its errors are those that it was seen to send."""

from __future__ import annotations

import amqp.exceptions
import pytest

from shared.errors import BrokerUnavailable, ConfigurationError
from workers.ingest import stream_bounds


def test_a_stream_whose_leader_is_away_is_not_said_to_be_missing() -> None:
    text = "NOT_FOUND - home node 'rabbit@one' of durable queue 'shop' in vhost '/' is down or inaccessible"
    away = amqp.exceptions.NotFound(text, (50, 10), "Queue.declare")
    with pytest.raises(BrokerUnavailable) as told, stream_bounds.explained("shop"):
        raise away
    assert "stream shop: expected its leader to be there, found it away" in str(told.value)
    assert "start that node" in str(told.value)
    assert "declare it" not in str(told.value)


def test_a_stream_that_is_not_there_is_said_to_be_missing() -> None:
    missing = amqp.exceptions.NotFound("NOT_FOUND - no queue 'shop' in vhost '/'", (50, 10), "Queue.declare")
    with pytest.raises(ConfigurationError, match=r"found none .*declare it"), stream_bounds.explained("shop"):
        raise missing


def test_what_amqp_cannot_deliver_is_told_with_stream_offset_and_remedy() -> None:
    # RabbitMQ 3.10.8 on sub-batches, and on bodies that are a text, a map or no AMQP 1.0 at all.
    failed = amqp.exceptions.InternalError("INTERNAL_ERROR", (0, 0))
    with pytest.raises(BrokerUnavailable) as told, stream_bounds.deliverable("shop", lambda: 7):
        raise failed
    assert str(told.value).startswith(
        "stream shop, from offset 7 on: expected messages that AMQP 0-9-1 can deliver"
    )
    assert "541 INTERNAL_ERROR" in str(told.value)
    assert "into a new stream, and name that in `otzyv ingest --stream`" in str(told.value)
