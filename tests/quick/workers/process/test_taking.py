"""Messages that a worker takes and hands to its children: which go together, and what becomes of those that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import Reject

from shared.settings import load
from workers.process.breaker import CLOSED, breaker
from workers.process.taking import LIVE_S, PART_BYTES, SMALL_PART_BYTES, Hands, Part, Setback
from workers.rabbitmq import topology
from workers.rabbitmq.topology import TAKE_IN, Lane

NO_ERRORS: tuple[type[Exception], ...] = ()


class Message:
    """One of RabbitMQ's, which notes what becomes of it."""

    content_type, content_encoding = "application/json", "utf-8"

    def __init__(self, body: bytes = b"{}", *, redelivered: bool = False) -> None:
        self.body = body
        self.headers: dict[str, Any] = {}
        self.delivery_info = {"redelivered": redelivered}
        self.fate = ""

    def ack_log_error(self, *_: object) -> None:
        self.fate = "acknowledged"

    def reject_log_error(self, *_: object, requeue: bool = False) -> None:
        self.fate = "given back" if requeue else "rejected"


class Worker:
    """The part of Celery's consumer that is asked; time passes when a test says so."""

    connection_errors = channel_errors = ()

    def __init__(self) -> None:
        self.pool = SimpleNamespace(num_processes=2)
        self.timer = self
        self.due: list[Callable[[], None]] = []
        self.pauses: list[float] = []
        self.out: list[tuple[Part, Any, Any]] = []
        self.strategies = {
            TAKE_IN: lambda part, _body, ack, reject, _calls: self.out.append((part, ack, reject))
        }

    def call_after(self, seconds: float, what: Callable[[], None]) -> None:
        self.pauses.append(seconds)
        self.due.append(what)

    def pass_time(self) -> None:
        due, self.due = self.due, []
        for one in due:
            one()

    def done(self) -> Part:
        part, ack, _ = self.out.pop(0)
        ack(None, NO_ERRORS)
        return part

    def failed(self, error: BaseException) -> Part:
        part, _, reject = self.out.pop(0)
        part.error = error
        reject(None, NO_ERRORS, True)
        return part


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock."""
    clock = [1_000.0]
    monkeypatch.setattr("workers.process.taking.time.monotonic", lambda: clock[0])
    return clock


@pytest.fixture
def hands(worker: Worker, now: list[float]) -> Iterator[Hands]:
    made = Hands(worker, load(linger_ms=10, poison_streak=2))
    made._consumers = [SimpleNamespace(cancel=lambda: None)]  # type: ignore[list-item]
    made.begin()
    yield made
    breaker._states[breaker._numbers[topology.INCOMING.queue]] = CLOSED
    breaker.succeeded(topology.INCOMING.queue)


def come(hands: Hands, *messages: Message, lane: Lane = "live") -> None:
    for message in messages:
        hands._receive(lane, message)  # type: ignore[arg-type]


def taken(part: Part) -> list[Any]:
    return [delivery for delivery, _ in part.taken]


def test_what_comes_in_a_moment_goes_to_a_child_together_and_is_acknowledged_when_it_is_done(
    hands: Hands, worker: Worker, now: list[float]
) -> None:
    first, second = Message(), Message()
    come(hands, first, second)
    assert worker.out == []
    now[0] += 0.02
    worker.pass_time()
    assert [taken(part) for part, *_ in worker.out] == [[first, second]]
    assert first.fate == ""
    worker.done()
    assert (first.fate, second.fate) == ("acknowledged", "acknowledged")


def test_enough_for_a_transaction_does_not_wait(hands: Hands, worker: Worker) -> None:
    come(hands, Message(b"x" * PART_BYTES))
    assert len(worker.out) == 1


def test_nothing_is_handed_out_before_the_event_loop_runs(worker: Worker, now: list[float]) -> None:
    waiting = Hands(worker, load())
    waiting._consumers = [SimpleNamespace()]  # type: ignore[list-item]
    come(waiting, Message(b"x" * PART_BYTES))
    assert worker.out == []
    waiting.begin()
    assert len(worker.out) == 1


def test_while_live_messages_come_bulk_ones_go_in_small_parts_and_none_ahead_of_time(
    hands: Hands, worker: Worker, now: list[float]
) -> None:
    come(hands, Message())
    come(hands, *(Message(b"x" * SMALL_PART_BYTES) for _ in range(8)), lane="bulk")
    assert [(part.lane, len(part.taken)) for part, *_ in worker.out] == [("bulk", 1), ("bulk", 1)]
    now[0] += LIVE_S
    worker.done()
    assert [(part.lane, len(part.taken)) for part, *_ in worker.out] == [
        ("bulk", 1),
        ("live", 1),
        ("bulk", 6),
    ]


def test_children_that_are_busy_get_no_more_of_a_lane_and_the_other_lane_goes_on(
    hands: Hands, worker: Worker, now: list[float]
) -> None:
    come(hands, *(Message(b"x" * PART_BYTES) for _ in range(5)), lane="bulk")
    assert len(worker.out) == 3, "one for each child, and one that is there when the first is done"
    come(hands, Message())
    now[0] += 0.02
    worker.pass_time()
    assert [part.lane for part, *_ in worker.out] == ["bulk", "bulk", "bulk", "live"]
    now[0] += LIVE_S
    worker.done()
    assert [part.lane for part, *_ in worker.out] == ["bulk", "bulk", "live", "bulk"]


def test_the_task_shows_how_many_messages_it_has_and_nothing_of_them(hands: Hands, worker: Worker) -> None:
    come(hands, Message(b"secret" * PART_BYTES))
    part, *_ = worker.out[0]
    assert part.headers["argsrepr"] == "(1 messages)"
    assert "secret" not in repr(part.headers)


def test_after_a_pause_the_same_messages_are_tried_again(
    hands: Hands, worker: Worker, now: list[float]
) -> None:
    message = Message(b"x" * PART_BYTES)
    come(hands, message)
    worker.failed(Reject((7.0, "PostgreSQL is away"), requeue=True))
    assert worker.out == []
    assert worker.pauses[-1] == pytest.approx(7.0)
    now[0] += 8
    worker.pass_time()
    part = worker.done()
    assert taken(part) == [message]
    _, tries, judge, again, _ = part.payload[0]
    assert (tries, judge, again) == (1, True, True)


def test_what_took_too_long_comes_unjudged_and_by_halves_and_is_never_given_up(
    hands: Hands, worker: Worker, now: list[float]
) -> None:
    messages = [Message() for _ in range(4)]
    come(hands, *messages)
    sizes, judged = [], []
    for _ in range(20):
        now[0] += 60
        worker.pass_time()
        slow = Reject(Setback(5.0, "PostgreSQL is slow", too_long=True))
        parts = [worker.failed(slow) for _ in range(len(worker.out))]
        sizes += [len(part.taken) for part in parts]
        judged += [part.judge for part in parts]
    assert sizes[:3] == [4, 2, 2]
    assert set(sizes[7:]) == {1}
    assert judged[0]
    assert not any(judged[1:]), "a model that takes long to load keeps nothing out of the store"
    assert {message.fate for message in messages} == {""}
    while not all(message.fate for message in messages):
        now[0] += 60
        worker.pass_time()
        while worker.out:
            worker.done()
    assert {message.fate for message in messages} == {"acknowledged"}


def test_what_a_child_dies_over_is_stored_unjudged_then_by_halves_until_one_is_rejected(
    hands: Hands, worker: Worker, now: list[float]
) -> None:
    good, bad, other = Message(), Message(), Message()
    come(hands, good, bad, other)
    ways = []
    for _ in range(60):
        now[0] += 60
        worker.pass_time()
        while worker.out:
            part = worker.out[0][0]
            ways.append((len(part.taken), part.judge))
            if bad in taken(part):
                worker.failed(RuntimeError("signal 9"))
            else:
                worker.done()
    assert ways[:2] == [(3, True), (3, False)]
    assert [message.fate for message in (good, bad, other)] == ["acknowledged", "rejected", "acknowledged"]


def test_where_every_message_fails_all_stay_in_the_queue(
    hands: Hands, worker: Worker, now: list[float]
) -> None:
    messages = [Message() for _ in range(8)]
    come(hands, *messages)
    for _ in range(60):
        now[0] += 60
        worker.pass_time()
        while worker.out:
            worker.failed(TypeError("a bad deployment"))
    fates = [message.fate for message in messages]
    assert fates.count("rejected") == 1
    assert fates.count("given back") == 7
    assert hands.queues == []
    with suppress(IndexError):
        come(hands, Message())
    assert worker.out == []


def test_a_task_that_somebody_revokes_is_not_done(hands: Hands, worker: Worker, now: list[float]) -> None:
    message = Message(b"x" * PART_BYTES)
    come(hands, message)
    part, ack, _ = worker.out.pop(0)
    part.error = RuntimeError("terminated")  # as TakingRequest notes it before Celery acknowledges
    ack(None, NO_ERRORS)
    assert message.fate == ""
    now[0] += 60
    worker.pass_time()
    assert taken(worker.done()) == [message]
    assert message.fate == "acknowledged"


def test_after_a_lost_connection_nothing_is_said_of_what_comes_again(hands: Hands, worker: Worker) -> None:
    message = Message(b"x" * PART_BYTES)
    come(hands, message)
    hands.end()
    worker.done()
    assert message.fate == ""


def test_messages_are_never_older_than_those_before_them(hands: Hands, worker: Worker) -> None:
    hands._newest = datetime.now(UTC) + timedelta(hours=1)
    come(hands, Message(b"x" * PART_BYTES), Message(b"x" * PART_BYTES))
    first, second = (part.payload[0][4][0].arrived_at for part, *_ in worker.out)
    assert first <= second


def test_a_message_that_came_before_is_told_as_one_that_comes_again(hands: Hands, worker: Worker) -> None:
    come(hands, Message(b"x" * PART_BYTES, redelivered=True))
    assert worker.out[0][0].payload[0][3] is True
