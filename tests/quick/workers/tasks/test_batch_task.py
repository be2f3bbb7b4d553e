"""The mark by which equal failures are recognised."""

from __future__ import annotations

import pytest

from workers.tasks.batch_task import traceback_hash


def _failure(text: str) -> Exception:
    with pytest.raises(ValueError, match=text) as caught:
        int(text)
    return caught.value


def test_failures_at_one_place_share_a_traceback_hash_whatever_they_say() -> None:
    assert traceback_hash(_failure("one")) == traceback_hash(_failure("two"))
    with pytest.raises(ValueError, match="three") as elsewhere:
        int("three")
    assert traceback_hash(elsewhere.value) != traceback_hash(_failure("one"))
