"""Connections to RabbitMQ, and the one seam where its errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import amqp.exceptions
import kombu.compression
import kombu.exceptions
from kombu import Connection

from shared.errors import BrokerUnavailable, ConfigurationError, QueueFull
from shared.settings import Settings

HEARTBEAT_S = 30


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


_LOST = (
    amqp.exceptions.ConnectionError,
    amqp.exceptions.RecoverableChannelError,
    kombu.exceptions.OperationalError,
    OSError,
)


def unpack_nothing() -> None:
    """Let this process refuse compressed messages. Whatever consumes calls it before it does.

    kombu unpacks a message before anybody can look at it: a small gzip bomb would fill the memory.
    """
    kombu.compression._decoders.clear()


def to_rabbitmq(settings: Settings) -> Connection:
    """A connection that confirms what is published, and takes in nothing compressed; opened on first use."""
    unpack_nothing()
    try:
        return Connection(
            settings.amqp_url,
            heartbeat=HEARTBEAT_S,
            connect_timeout=settings.connect_timeout_s,
            transport_options=options(settings),
        )
    except (ValueError, KeyError) as error:
        raise ConfigurationError(
            f"OTZYV_AMQP_URL: expected amqp://user:password@host:5672/vhost, found a URL that cannot be read: {error}"
        ) from error


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
        # Celery wraps a refusal in an error of its own that says nothing.
        if amqp.exceptions.MessageNacked in (type(error), type(error.__cause__)):
            raise QueueFull(
                "RabbitMQ refused a message: a queue is at its limit, or its disk is full"
            ) from error
        raise BrokerUnavailable(
            f"RabbitMQ did not answer or did not confirm ({str(error) or type(error).__name__}); check that it "
            "runs where OTZYV_AMQP_URL says"
        ) from error


@contextmanager
def connected(settings: Settings) -> Iterator[Connection]:
    """A connection for a while, with its errors as ours."""
    with translated(), to_rabbitmq(settings) as connection:
        yield connection
