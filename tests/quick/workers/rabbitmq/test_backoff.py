"""Pauses between tries."""

from __future__ import annotations

from workers.rabbitmq.backoff import LONGEST_PAUSE_S, pause_s


def test_pauses_double_up_to_a_minute() -> None:
    assert [pause_s(attempt, lambda: 1.0) for attempt in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_half_of_a_pause_is_jitter_so_that_tasks_do_not_come_back_together() -> None:
    assert pause_s(3, lambda: 0.0) == 4.0
    assert pause_s(3, lambda: 1.0) == 8.0


def test_a_pause_never_overflows() -> None:
    assert pause_s(900, lambda: 1.0) == LONGEST_PAUSE_S
