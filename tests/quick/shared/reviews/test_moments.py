"""Moments as producers write them, read into one meaning or none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.reviews import moments

MSK = timezone(timedelta(hours=3))
AT = datetime(2026, 11, 28, 7, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-11-28T10:16:00+03:00", AT),
        ("2026-11-28T07:16:00.0000000Z", AT),
        ("2026-11-28T10:16+03:00[Europe/Moscow]", AT),
        ("2026-11-28T07:16Z[UTC]", AT),
        ("/Date(1795850160000)/", AT),
        ("/Date(1795850160000+0300)/", AT),
        (" 1795850160 ", AT),
        ("1795850160000", AT),
        (1795850160, AT),
        (1795850160.0, AT),
        (1795850160000, AT),
        (1795850160.123456789, AT + timedelta(microseconds=123457)),
        ("2026-11-28T10:16:00", datetime(2026, 11, 28, 10, 16)),  # noqa: DTZ001
        ("28.11.2026 10:16", datetime(2026, 11, 28, 10, 16)),  # noqa: DTZ001
        ("28.11.2026 10:16:05", datetime(2026, 11, 28, 10, 16, 5)),  # noqa: DTZ001
        ("28.11.2026", datetime(2026, 11, 28)),  # noqa: DTZ001
        ([2026, 11, 28, 10, 16], datetime(2026, 11, 28, 10, 16)),  # noqa: DTZ001
        ([2026, 11, 28, 10, 16, 5, 123_000_000], datetime(2026, 11, 28, 10, 16, 5, 123_000)),  # noqa: DTZ001
        ([2026, 11, 28], datetime(2026, 11, 28)),  # noqa: DTZ001
    ],
)
def test_a_moment_is_read_in_every_form_that_producers_write(written, moment):
    found = moments.of_json(written)
    assert found == moment
    assert (found.tzinfo is None) == (moment.tzinfo is None)


@pytest.mark.parametrize(
    "written",
    [
        "28/11/2026", "11.28.2026", "31.02.2026 10:16", "yesterday", "", "45000", 45000, -1, 0, 10**400, "9" * 400,
        1.5e15, True, None, {}, [], [2026], [2026, 13, 1], [2026, 11, "28"], [2026, 11, 28, 10, 16, 0, 0, 0],
        [10**30, 1, 1], "/Date()/", "/Date(12)/",
    ],
)  # fmt: skip
def test_what_means_no_moment_is_none(written):
    assert moments.of_json(written) is None
