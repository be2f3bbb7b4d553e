"""What RabbitMQ says, in our words: an error that may pass, one that a person has to mend, what happened by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import amqp.exceptions
import kombu.exceptions
import pytest
from amqp import spec

from shared.errors import BrokerUnavailable, ConfigurationError, PublishingBlocked, QueueFull
from shared.settings import load
from workers.rabbitmq import blocked, driver
from workers.rabbitmq.connection import to_rabbitmq, translated

TIMED_OUT = (
    "PRECONDITION_FAILED - delivery acknowledgement on channel 2 timed out. Timeout value used: 15000 ms. This timeout "
    "value can be configured, see consumers doc guide to learn more"
)


def test_a_late_acknowledgement_is_told_by_the_name_of_the_limit() -> None:
    late = amqp.exceptions.PreconditionFailed(TIMED_OUT, (0, 0), reply_code=406)
    with pytest.raises(BrokerUnavailable) as told, translated():
        raise late
    assert "acknowledgement took longer than the broker's consumer_timeout of 15 s" in str(told.value)
    assert "raise consumer_timeout in rabbitmq.conf" in str(told.value)


@pytest.mark.parametrize(
    "error",
    [
        amqp.exceptions.NotFound("NOT_FOUND - no exchange 'tasks'", (60, 40), reply_code=404),
        amqp.exceptions.PreconditionFailed("unknown delivery tag 7", (60, 80), reply_code=406),
        amqp.exceptions.ResourceLocked("RESOURCE_LOCKED", (50, 10), reply_code=405),
        amqp.exceptions.InternalError("INTERNAL_ERROR", (0, 0), reply_code=541),
        amqp.exceptions.ChannelError("NO_ROUTE", (60, 50), reply_code=312),
        amqp.exceptions.AMQPError("anything"),
        kombu.exceptions.OperationalError("gone"),
        ConnectionResetError("reset"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_rabbitmq_protests_against_may_succeed_on_a_new_connection(error: Exception) -> None:
    with pytest.raises(BrokerUnavailable, match=re.escape(str(error))), translated():
        raise error


@pytest.mark.parametrize("error", [amqp.exceptions.AccessRefused("no"), amqp.exceptions.NotAllowed("no")])
def test_a_wrong_login_is_for_a_person(error: Exception) -> None:
    with pytest.raises(ConfigurationError, match="correct OTZYV_AMQP_URL"), translated():
        raise error


def test_a_refusal_that_celery_has_wrapped_is_a_full_queue() -> None:
    with pytest.raises(QueueFull), translated():
        raise kombu.exceptions.OperationalError from amqp.exceptions.MessageNacked()


def test_a_consumer_that_rabbitmq_has_ended_is_told_with_its_queue_and_what_may_be_the_reason() -> None:
    with pytest.raises(BrokerUnavailable) as told, translated():
        driver.ended("reviews.incoming", "None2")
    assert str(told.value).startswith("RabbitMQ has ended the consumer of reviews.incoming (basic.cancel)")
    assert "deleted, its leader is away, or, from RabbitMQ 4.3 on, an acknowledgement" in str(told.value)
    assert "None2" not in str(told.value)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("low on memory", "memory alarm"),
        ("low on disk", "disk alarm"),
        ("low on memory & disk", "memory and disk alarm"),
        ("low on patience", "low on patience"),
    ],
)
def test_a_block_is_told_by_its_alarm(reason: str, told: str) -> None:
    assert blocked.sentence(reason).startswith(f"RabbitMQ has blocked publishing: {told};")


def test_only_the_alarms_that_are_meant_are_found_in_the_sentence_about_them() -> None:
    assert blocked.alarms_in(blocked.sentence("low on disk")) == ["disk"]
    assert blocked.alarms_in(blocked.sentence("low on patience")) == []


def test_a_connection_knows_from_what_rabbitmq_announces_whether_it_takes_messages() -> None:
    told: list[str] = []
    connection = driver.TellingConnection(on_blocked=told.append)
    arguments = b"\x00\x00\x00\x00" + bytes([len(b"low on disk")]) + b"low on disk"
    connection.dispatch_method(spec.Connection.Blocked, arguments, None)
    assert connection.blocked == "low on disk"
    assert [words.split(";")[0] for words in told] == ["RabbitMQ has blocked publishing: disk alarm"]
    connection.dispatch_method(spec.Connection.Unblocked, b"\x00\x00\x00\x00", None)
    assert connection.blocked == ""


@pytest.mark.parametrize("scheme", ["amqp", "pyamqp", "amqps"])
def test_every_connection_of_ours_has_that_driver(scheme: str) -> None:
    connection = to_rabbitmq(load(amqp_url=f"{scheme}://guest:guest@127.0.0.1/otzyv"))
    assert connection.get_transport_cls().Connection is driver.TellingConnection


def test_a_block_is_an_error_that_may_pass_and_no_full_queue() -> None:
    assert issubclass(PublishingBlocked, BrokerUnavailable)
    assert not issubclass(PublishingBlocked, QueueFull)


class Silent:
    """A transport by which nothing comes; it remembers for how long it was asked to wait."""

    def __init__(self) -> None:
        self.asked: list[float | None] = []

    @contextmanager
    def having_timeout(self, timeout: float | None) -> Iterator[None]:
        self.asked.append(timeout)
        yield

    def read_frame(self) -> None:
        raise TimeoutError


def test_who_asks_for_what_has_come_waits_for_a_moment_and_never_without_a_limit():
    connection = driver.TellingConnection("nowhere:1")
    connection._transport = silent = Silent()
    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=0)
    assert silent.asked == [driver.AT_ONCE_S]
