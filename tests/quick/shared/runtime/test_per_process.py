"""What a process makes for itself: once, and no more than it can keep. Forks: tests/local/shared/runtime."""

from __future__ import annotations

import pytest

from shared.runtime.per_process import PerProcess


def test_each_thing_is_made_once_and_the_two_used_last_are_kept() -> None:
    made: list[int] = []
    things = PerProcess(lambda number: made.append(number) or str(number))
    assert [things.get(number) for number in (1, 2, 1, 3, 1, 2)] == ["1", "2", "1", "3", "1", "2"]
    assert made == [1, 2, 3, 2], "of 1 and 2, the latter was used longer ago when 3 came"


def test_what_could_not_be_made_is_made_anew_the_next_time_and_costs_nothing_that_was_kept() -> None:
    tries: list[int] = []

    def make(number: int) -> int:
        tries.append(number)
        if tries.count(2) == 1 and number == 2:
            raise ValueError("not yet")
        return number

    things = PerProcess(make, keep=1)
    assert things.get(1) == 1
    with pytest.raises(ValueError, match="not yet"):
        things.get(2)
    assert (things.get(1), things.get(2), tries) == (1, 2, [1, 2, 2])
