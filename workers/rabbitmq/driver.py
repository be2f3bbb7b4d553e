"""RabbitMQ's driver, but for two habits: it waits for ever, and it does not tell what RabbitMQ announces.

* A request is answered within `read_timeout` or fails. The driver's own limit begins anew with every heartbeat.
* RabbitMQ announces that it has blocked publishing, and reads nothing from then on. A message waits for its
  confirmation for as long as its publisher has patience; nobody waits for an answer to a good-bye.
* A consumer that RabbitMQ has ended is told of with its queue.
"""

from __future__ import annotations

import atexit
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final, NoReturn
from weakref import WeakSet

import amqp
import amqp.exceptions
import structlog
from amqp import spec
from kombu.transport import TRANSPORT_ALIASES, pyamqp

from shared.errors import PublishingBlocked
from workers.rabbitmq import blocked

log = structlog.get_logger()

ANSWER_S: Final = 20.0
"""Seconds for an answer, where a connection was opened without a limit."""
CLOSE_S: Final = 3.0
"""Seconds for RabbitMQ's answer to a good-bye."""
AT_ONCE_S: Final = 0.001
"""For what has come already. Not 0: asked without blocking, py-amqp 5.4.2 may hold a worker of Celery's for ever, and
then it sends no heartbeats, does not end its connection, and says nothing."""


class Asking:
    """A channel, or a connection, that gets an answer in time or gives the connection up."""

    connection: Any
    is_closing: bool

    def wait(
        self, method: Any, callback: Any = None, timeout: float | None = None, returns_tuple: bool = False
    ) -> Any:
        """The answer to a request. Raises TimeoutError or PublishingBlocked; the connection is then closed."""
        connection = self.connection
        if connection is None:
            raise amqp.exceptions.RecoverableConnectionError("connection already closed")
        seconds = min(timeout or connection.answer_s, CLOSE_S if self.is_closing else math.inf)
        try:
            with connection.limited(seconds):
                return super().wait(method, callback, None, returns_tuple)  # type: ignore[misc]
        except TimeoutError as error:
            reason = connection.blocked
            # An answer that comes later would be taken for the next one's.
            connection.collect()
            if reason:
                raise PublishingBlocked(blocked.sentence(reason)) from error
            raise TimeoutError(f"no answer within {seconds:g} s") from error


class ConfirmingChannel(Asking, pyamqp.Channel):
    """A channel whose messages are confirmed one by one."""

    is_open: bool
    _confirm_selected: bool

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._sent = 0
        self._confirmed: bool | None = None

    def basic_publish_confirm(
        self, *arguments: Any, confirm_timeout: float | None = None, **named: Any
    ) -> None:
        """Publish a message and wait until RabbitMQ has taken it over.

        While RabbitMQ has blocked publishing, that is until `patience_s` of the connection, or else `confirm_timeout`,
        has passed since it did. Raises PublishingBlocked, MessageNacked, TimeoutError.
        """
        connection = self.connection
        if connection is None:
            raise amqp.exceptions.RecoverableConnectionError("connection already closed")
        patience_s = (confirm_timeout or 0.0) if connection.patience_s is None else connection.patience_s
        while connection.blocked:
            connection.receive(0.0, 0.0, patience_s)
        if not self._confirm_selected:
            self._confirm_selected = True
            self.confirm_select()
            self._sent = 0
            self.events["basic_ack"].add(partial(self.note, True))
            self.events["basic_nack"].add(partial(self.note, False))
        answer_s = confirm_timeout or connection.answer_s
        self._confirmed = None
        self._sent += 1
        began = time.monotonic()
        with connection.writing():
            self._basic_publish(*arguments, **{**named, "timeout": max(1.0, patience_s or answer_s)})
        while self._confirmed is None:
            connection.receive(began, answer_s, patience_s)
        if not self._confirmed:
            raise amqp.exceptions.MessageNacked

    def note(self, confirmed: bool, delivery_tag: int, multiple: bool) -> None:
        """RabbitMQ's word on the last message, or on one before it that nobody waited for to the end."""
        if delivery_tag == self._sent or (multiple and delivery_tag > self._sent):
            self._confirmed = confirmed

    def basic_consume(self, queue: str = "", *arguments: Any, **named: Any) -> Any:
        """Consume a queue; that RabbitMQ has ended it is an error that names the queue."""
        named["on_cancel"] = named.get("on_cancel") or partial(ended, queue)
        return super().basic_consume(queue, *arguments, **named)

    def close(self, *arguments: Any, **named: Any) -> Any:
        """Close it. While RabbitMQ reads nothing, that is said and not waited for."""
        if self.connection is None or not self.connection.blocked:
            return super().close(*arguments, **named)
        if self.is_open:
            self.is_open = False
            self.connection.say(self, spec.Channel.Close)
        return None


class TellingConnection(Asking, pyamqp.Connection):
    """A connection that knows whether RabbitMQ has blocked publishing on it, and why.

    `patience_s` is how long messages wait meanwhile; without it, every one says it by itself. `on_blocked` is told the
    reason; without it, a log line tells.
    """

    Channel = ConfirmingChannel
    # The driver's own row has no arguments, and throws the reason away.
    _METHODS = {  # noqa: RUF012  the driver's own way
        **pyamqp.Connection._METHODS,
        spec.Connection.Blocked: spec.method(spec.Connection.Blocked, "s"),
    }

    def __init__(self, *arguments: Any, patience_s: float | None = None, **named: Any) -> None:
        self.blocked = ""
        self.patience_s = patience_s
        self._changed = time.monotonic()
        self._until: float | None = None
        super().__init__(*arguments, **named)
        self.process = os.getpid()
        _opened.add(self)
        self._callbacks[spec.Connection.Blocked] = self.note_blocked
        self._callbacks[spec.Connection.Unblocked] = self.note_unblocked

    @property
    def answer_s(self) -> float:
        """Seconds for an answer."""
        return float(self.read_timeout or ANSWER_S)

    def note_blocked(self, reason: str) -> None:
        """RabbitMQ reads nothing more from here on."""
        self.blocked, self._changed = reason or "no reason given", time.monotonic()
        if self.on_blocked:
            self.on_blocked(blocked.sentence(self.blocked))
        else:
            log.warning("broker.blocked", error=blocked.sentence(self.blocked))

    def note_unblocked(self) -> None:
        """It reads again."""
        was, self.blocked = self._changed, ""
        self._changed = time.monotonic()
        if not self.on_blocked:
            log.info("broker.unblocked", after_s=round(self._changed - was, 1))

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Whatever is waited for inside, without a limit of its own, is waited for no longer."""
        # Nothing is answered while publishing is blocked, so it counts as asked when that began.
        asked = self._changed if self.blocked else time.monotonic()
        before, self._until = self._until, asked + seconds
        try:
            yield
        finally:
            self._until = before

    def drain_events(self, timeout: float | None = None) -> None:
        """Take in what comes next. Raises TimeoutError where that was only heartbeats.

        0 is what Celery's loop asks with, for what has come already.
        """
        if timeout == 0:
            super().drain_events(AT_ONCE_S)
            return
        until = self._until if timeout is None else time.monotonic() + timeout
        while not self.blocking_read(None if until is None else max(AT_ONCE_S, until - time.monotonic())):
            if until is not None and time.monotonic() >= until:
                raise TimeoutError

    def receive(self, began: float, answer_s: float, patience_s: float) -> None:
        """Take in what comes next while there is time for an answer, or patience where publishing is blocked.

        Raises TimeoutError, PublishingBlocked.
        """
        until = self._changed + patience_s if self.blocked else max(began, self._changed) + answer_s
        try:
            self.drain_events(max(AT_ONCE_S, until - time.monotonic()))
        except TimeoutError as error:
            if self.blocked:
                raise PublishingBlocked(blocked.sentence(self.blocked)) from error
            raise TimeoutError("it did not confirm a message in time") from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A message is written. Where the buffers between are full before its end, the connection is of no more use."""
        try:
            yield
        except (OSError, amqp.exceptions.ConnectionError) as error:
            with suppress(OSError, amqp.exceptions.AMQPError):
                while True:
                    self.drain_events(AT_ONCE_S)
            reason = self.blocked
            self.collect()
            if reason:
                raise PublishingBlocked(blocked.sentence(reason)) from error
            raise

    def say(self, to: Any, method: Any) -> None:
        """Say good-bye to something, and wait for no answer: RabbitMQ reads it once an alarm has ended."""
        with suppress(OSError, amqp.exceptions.AMQPError), self.transport.having_timeout(AT_ONCE_S):
            to.send_method(method, "BsBB", (0, "", 0, 0))

    def close(self, *arguments: Any, **named: Any) -> Any:
        """Close it, within moments."""
        if not self.blocked or self._transport is None:
            return super().close(*arguments, **named)
        self.say(self, spec.Connection.Close)
        self.collect()
        return None


_opened: Final[WeakSet[TellingConnection]] = WeakSet()


def ended(queue: str, _tag: str) -> NoReturn:
    """RabbitMQ has ended a consumer (`basic.cancel`), and does not say why."""
    raise amqp.exceptions.ConsumerCancelled(
        f"RabbitMQ has ended the consumer of {queue} (basic.cancel): the queue was deleted, its leader is away, or, "
        "from RabbitMQ 4.3 on, an acknowledgement took longer than the broker's consumer_timeout; what was held comes "
        "again, to a new consumer"
    )


class Transport(pyamqp.Transport):
    """kombu's, with our connection."""

    Connection = TellingConnection


class SecureTransport(pyamqp.SSLTransport):
    """kombu's for TLS, with our connection."""

    Connection = TellingConnection


def close_all(**_of_a_signal: object) -> None:
    """Close what nobody has closed, such as Celery's pool: RabbitMQ notes a connection without a good-bye as lost."""
    for connection in list(_opened):
        if connection.process == os.getpid():
            with suppress(OSError, amqp.exceptions.AMQPError):
                connection.close()


def install() -> None:
    """From now on every connection of this process, Celery's too, is ours, and closed at its end."""
    atexit.register(close_all)
    TRANSPORT_ALIASES.update(
        {
            "amqp": f"{__name__}:Transport",
            "pyamqp": f"{__name__}:Transport",
            "amqps": f"{__name__}:SecureTransport",
        }
    )
