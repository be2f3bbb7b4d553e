"""Dead letters: looked at, sent back to the queue that they came from, or removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import amqp
import amqp.exceptions
import msgspec
from amqp import spec

from shared.errors import ConfigurationError
from workers.rabbitmq import connection, topology
from workers.rabbitmq.confirmed import Confirmed
from workers.rabbitmq.topology import QueueSpec

LOOKED_AT: Final = 100
"""As many messages of a queue are looked at."""

WAIT_S: Final = 5.0
"""For the next of them, in case somebody else has taken it meanwhile."""

ROUNDS: Final = 1_000
"""As often is asked whether they are back in their places: it takes RabbitMQ a moment."""

RETURNS: Final = 15
"""RabbitMQ 4 drops a message that has come back more than 20 times; before that, copies take the places of all."""

_BROKERS_OWN = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count")
_COUNT = "x-delivery-count"


class DeadQueue(msgspec.Struct, frozen=True):
    """A dead-letter queue: how many messages, and the causes of the first `looked_at`, most frequent first.

    `messages` is None where the queue has not been declared.
    """

    queue: str
    messages: int | None
    causes: list[tuple[str, int]] = []
    looked_at: int = 0


def line_of(dead_letters: str) -> QueueSpec:
    """The line whose dead letters a queue holds. Raises ConfigurationError."""
    for line in topology.LINES:
        if line.dead_letters == dead_letters:
            return line
    names = ", ".join(line.dead_letters for line in topology.LINES)
    raise ConfigurationError(f"--dead-letters: expected one of {names}; found {dead_letters!r}")


def cause(headers: Mapping[str, Any]) -> str:
    """Why a message is a dead letter: what ingest wrote on it, or else what RabbitMQ did."""
    if headers.get("reason"):
        return str(headers["reason"])
    deaths = headers.get("x-death")
    if not isinstance(deaths, list) or not deaths or not isinstance(deaths[0], dict):
        return "no reason on it"
    last = deaths[0]
    times = last.get("count", 1)
    return f"{last.get('reason')} in {last.get('queue')}" + (f", {times} times" if times != 1 else "")


def revived(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties with which a dead letter starts anew.

    Without RabbitMQ's marks, by which it would take the message for one that goes round in circles, and with all of
    the task's tries ahead of it. A message may only name the user who publishes it.
    """
    kept = {name: value for name, value in properties.items() if name not in ("user_id", "cluster_id")}
    given = properties.get("application_headers") or {}
    headers = {name: value for name, value in given.items() if not name.startswith(_BROKERS_OWN)}
    headers.pop("reason", None)
    if "retries" in headers:
        headers["retries"] = 0
    return {**kept, "application_headers": headers}


class DeadLetters:
    """The dead-letter queues of a broker."""

    def __init__(self, confirmed: Confirmed) -> None:
        self._confirmed = confirmed

    def count(self, line: QueueSpec) -> int | None:
        """Messages in the dead-letter queue of a line; None where there is no such queue.

        Raises BrokerUnavailable where its leader is away.
        """
        with connection.translated():
            try:
                declared = self._channel.queue_declare(line.dead_letters, passive=True)
            except amqp.exceptions.NotFound as error:
                self._confirmed.open()  # RabbitMQ has closed the channel over it
                if connection.is_away(error):
                    raise connection.away(line.dead_letters, error.reply_text) from error
                return None
            return int(declared.message_count)

    def look(self, line: QueueSpec) -> DeadQueue:
        """How many there are and why; every message stays where it is."""
        messages = self.count(line)
        if not messages:
            return DeadQueue(line.dead_letters, messages)
        with connection.translated():
            seen = self._browse(line, min(messages, LOOKED_AT))
        for _ in range(ROUNDS):
            if (self.count(line) or 0) >= messages:
                break
        if self._limits_returns and any(int(headers.get(_COUNT, 0)) >= RETURNS for headers in seen):
            self._renew(line, messages)
        return DeadQueue(line.dead_letters, messages, Counter(map(cause, seen)).most_common(), len(seen))

    def _browse(self, line: QueueSpec, most: int) -> list[Mapping[str, Any]]:
        """The headers of so many, which RabbitMQ puts back, in the order that they had, once the channel is closed.

        One consumer takes them all: what several have taken, and `basic.get` is one each time, comes back in any order.
        A requeue would put them behind all the others, where a queue has no delivery limit.
        """
        seen: list[Mapping[str, Any]] = []
        channel = self._channel
        channel.basic_qos(0, most, a_global=False)
        tag = channel.basic_consume(
            line.dead_letters, callback=lambda message: seen.append(message.headers or {})
        )
        with suppress(TimeoutError):
            while len(seen) < most:
                channel.connection.drain_events(timeout=WAIT_S)
        channel.basic_cancel(tag)
        if self._limits_returns:
            # There it keeps the order, and from 4.3 on does not count. By `basic.nack`, which py-amqp lacks.
            everything, multiple, requeue = 0, True, True
            channel.send_method(spec.Basic.Nack, "Lbb", (everything, multiple, requeue))
        channel.close()
        self._confirmed.open()
        return seen

    @property
    def _limits_returns(self) -> bool:
        """Whether a queue that has been given no delivery limit has one."""
        return int(str(self._channel.connection.server_properties["version"]).split(".")[0]) >= 4

    def _renew(self, line: QueueSpec, messages: int) -> None:
        """Put copies, which have never been given back, in the places of so many; of all, so that the order stays."""

        def publish(message: amqp.Message) -> None:
            headers = {name: value for name, value in (message.headers or {}).items() if name != _COUNT}
            properties = {**message.properties, "application_headers": headers}
            properties.pop("user_id", None)
            self._confirmed.publish(message.body, topology.DEAD, line.dead_letters, properties)

        for _ in self._remove(line, messages, publish):
            pass

    def send_back(self, line: QueueSpec, messages: int) -> Iterator[None]:
        """Move up to `messages` to the queue that they came from, each confirmed there before it is gone from here."""

        def publish(message: amqp.Message) -> None:
            properties = revived(message.properties)
            self._confirmed.publish(message.body, line.exchange, line.routing_key, properties)

        return self._remove(line, messages, publish)

    def drop(self, line: QueueSpec, messages: int) -> Iterator[None]:
        """Remove up to `messages`, the oldest first."""
        return self._remove(line, messages, lambda _message: None)

    def _remove(self, line: QueueSpec, messages: int, save: Callable[[amqp.Message], None]) -> Iterator[None]:
        for _ in range(messages):
            with connection.translated():
                message = self._channel.basic_get(line.dead_letters)
            if message is None:
                return
            save(message)
            with connection.translated():
                self._channel.basic_ack(message.delivery_tag)
            yield

    @property
    def _channel(self) -> Any:
        return self._confirmed.channel
