"""Pauses between tries, and the mark by which equal failures are recognised."""

from __future__ import annotations

import pytest

from workers.tasks.batch_task import LONGEST_PAUSE_S, pause_s, traceback_hash


def test_pauses_double_up_to_a_minute() -> None:
    assert [pause_s(attempt, lambda: 1.0) for attempt in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_half_of_a_pause_is_jitter_so_that_tasks_do_not_come_back_together() -> None:
    assert pause_s(3, lambda: 0.0) == 4.0
    assert pause_s(3, lambda: 1.0) == 8.0


def test_a_pause_never_overflows() -> None:
    assert pause_s(900, lambda: 1.0) == LONGEST_PAUSE_S


def _failure(text: str) -> Exception:
    with pytest.raises(ValueError, match=text) as caught:
        int(text)
    return caught.value


def test_failures_at_one_place_share_a_traceback_hash_whatever_they_say() -> None:
    assert traceback_hash(_failure("one")) == traceback_hash(_failure("two"))
    with pytest.raises(ValueError, match="three") as elsewhere:
        int("three")
    assert traceback_hash(elsewhere.value) != traceback_hash(_failure("one"))
