"""Connections to RabbitMQ, and the one seam where its errors become ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import amqp.exceptions
import kombu.compression
import kombu.exceptions
from kombu import Connection

from shared.errors import BrokerUnavailable, ConfigurationError, QueueFull
from shared.settings import Settings
from workers.rabbitmq import driver

HEARTBEAT_S = 30

driver.install()


def options(settings: Settings) -> dict[str, object]:
    """How every connection, Celery's too, is to behave: publishing is confirmed, and no wait lasts for ever.

    A broker that takes messages and never answers would otherwise stop a process for good: while it waits for one
    confirmation, it does not look at heartbeats.
    """
    return {
        "confirm_publish": True,
        "read_timeout": settings.broker_timeout_s,
        "write_timeout": settings.broker_timeout_s,
    }


# Whatever RabbitMQ protests against: on a new connection the same may succeed. What a person has to change is told
# apart where it is asked for.
_LOST = (amqp.exceptions.AMQPError, kombu.exceptions.OperationalError, OSError)

_LATE: Final = re.compile(r"delivery acknowledgement on channel \d+ timed out\. Timeout value used: (\d+) ms")
"""What RabbitMQ says before 4.3; from then on it ends the consumer instead."""

# A quorum queue most of whose members are away takes no message and gives none, and is counted as ever.
_IN_A_CLUSTER = ", and in a cluster that most of its nodes do"

_AWAY: Final = re.compile(
    r"is down or inaccessible|due to timeout|stopped by supervisor|crashed and failed to restart|being demoted"
)
"""Of a queue that is declared and not to be had RabbitMQ says so, with the code of one that is not there."""


def unpack_nothing() -> None:
    """Let this process refuse compressed messages. Whatever consumes calls it before it does.

    kombu unpacks a message before anybody can look at it: a small gzip bomb would fill the memory.
    """
    kombu.compression._decoders.clear()


def to_rabbitmq(settings: Settings, **more: Any) -> Connection:
    """A connection that confirms what is published, and takes in nothing compressed; opened on first use.

    `more` are options of `driver.TellingConnection`.
    """
    unpack_nothing()
    try:
        return Connection(
            settings.amqp_url,
            heartbeat=HEARTBEAT_S,
            connect_timeout=settings.connect_timeout_s,
            transport_options={**options(settings), **more},
        )
    except (ValueError, KeyError) as error:
        raise ConfigurationError(
            f"OTZYV_AMQP_URL: expected amqp://user:password@host:5672/vhost, found a URL that cannot be read: {error}"
        ) from error


def is_away(error: amqp.exceptions.NotFound) -> bool:
    """Whether RabbitMQ has a queue of that name, but nobody who leads it: no code tells that from no queue."""
    return _AWAY.search(str(error)) is not None


def away(queue: str, reason: str) -> BrokerUnavailable:
    """A queue or stream that is declared, and whose leader RabbitMQ does not find."""
    return BrokerUnavailable(
        f"{queue}: expected its leader to be there, found it away ({reason}); start that node of RabbitMQ, "
        "`rabbitmq-diagnostics cluster_status` shows which are up; work goes on by itself then"
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into BrokerUnavailable, or ConfigurationError where waiting would not help."""
    try:
        yield
    except (amqp.exceptions.AccessRefused, amqp.exceptions.NotAllowed) as error:
        raise ConfigurationError(
            f"RabbitMQ refused the login or the virtual host ({error}); correct OTZYV_AMQP_URL"
        ) from error
    except (amqp.exceptions.MessageNacked, *_LOST) as error:
        # Celery wraps what the driver says in an error of its own that says less.
        said = error.__cause__ if isinstance(error, kombu.exceptions.OperationalError) else error
        if isinstance(said, amqp.exceptions.MessageNacked):
            raise QueueFull(
                "RabbitMQ refused a message: a queue is at its limit, or its disk is full"
            ) from error
        raise BrokerUnavailable(explained(said or error)) from error


def explained(error: BaseException) -> str:
    """What happened to a connection, by name, and what to do."""
    said = str(error) or type(error).__name__
    if late := _LATE.search(said):
        return (
            "RabbitMQ closed a channel (406 PRECONDITION_FAILED): an acknowledgement took longer than the broker's "
            f"consumer_timeout of {int(late[1]) / 1_000:g} s; what was held is back in its queue, and comes again. "
            "Where PostgreSQL or a model may be away for longer, raise consumer_timeout in rabbitmq.conf"
        )
    if isinstance(error, amqp.exceptions.ConsumerCancelled):
        return said
    if isinstance(error, amqp.exceptions.NotFound) and is_away(error):
        return str(away("a queue", error.reply_text))
    if isinstance(error, amqp.exceptions.ChannelError):
        return f"RabbitMQ closed a channel ({said}); what it is about is declared anew on the next try"
    return (
        f"RabbitMQ did not answer or did not confirm ({said}); check that it runs where OTZYV_AMQP_URL says"
        + (_IN_A_CLUSTER if isinstance(error, TimeoutError) else "")
    )


@contextmanager
def connected(settings: Settings, **more: Any) -> Iterator[Connection]:
    """A connection for a while, with its errors as ours."""
    with translated(), to_rabbitmq(settings, **more) as connection:
        yield connection
