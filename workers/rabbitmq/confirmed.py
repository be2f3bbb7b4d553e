"""Raw messages, each confirmed: published as they are, with every property, to any exchange of the topology."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import amqp
from kombu import Exchange

from shared.errors import BrokerUnavailable
from shared.settings import Settings
from workers.rabbitmq import connection, topology


class Confirmed:
    """A channel on which a message is in RabbitMQ's keeping once `publish` returns.

    Raises BrokerUnavailable where RabbitMQ does not answer, QueueFull where it refuses a message, PublishingBlocked
    where it has taken none at all for `patience_s`, by default as long as a confirmation may take. `on_blocked` is told
    at once.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        declare: bool = True,
        patience_s: float | None = None,
        on_blocked: Callable[[str], None] | None = None,
    ) -> None:
        self._timeout_s = settings.statement_timeout_s
        self._connection = connection.to_rabbitmq(settings, patience_s=patience_s, on_blocked=on_blocked)
        self._declare = declare
        self._returned = False
        self.channel: Any = None

    def __enter__(self) -> Self:
        try:
            with connection.translated():
                self._connection.ensure_connection(max_retries=1)
                if self._declare:
                    topology.declare(self._connection)
                self.open()
        except BaseException:
            self._connection.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.release()

    def open(self) -> None:
        """A new channel, in place of one that RabbitMQ has closed."""
        self.channel = self._connection.channel()
        self.channel.auto_decode = False  # bodies stay bytes, whatever encoding they claim
        self.channel.events["basic_return"].add(self._note_return)

    def publish(
        self, body: bytes, exchange: Exchange, routing_key: str, properties: Mapping[str, Any]
    ) -> None:
        """Publish a message, persistent, and wait until RabbitMQ has taken it over."""
        self._returned = False
        message = amqp.Message(body, **{**properties, "delivery_mode": 2})
        with connection.translated():
            self.channel.basic_publish(
                message, exchange.name, routing_key, mandatory=True, confirm_timeout=self._timeout_s
            )
        if self._returned:
            raise BrokerUnavailable(
                f"RabbitMQ returned a message: expected a queue bound to exchange {exchange.name} with key "
                f"{routing_key}, found none; it is declared anew on the next try"
            )

    def _note_return(self, *_args: object) -> None:
        self._returned = True
