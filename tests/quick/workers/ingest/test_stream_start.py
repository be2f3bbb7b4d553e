"""Where to begin in a stream, from what a person writes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.errors import ConfigurationError
from workers.ingest.stream_start import parse


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("first", "first"),
        ("next", "next"),
        ("0", 0),
        ("5000", 5_000),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05+03:00", datetime(2026, 1, 2, 0, 4, 5, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
    ],
)
def test_a_start_is_a_word_an_offset_or_a_time(text: str, start: object) -> None:
    assert parse(text) == start


@pytest.mark.parametrize(
    "text",
    [
        "",
        "last",
        "-1",
        "٣",
        "1.5",
        "99999999999999999999",
        "9" * 5_000,
        "yesterday",
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T23:59:59Z",
    ],
)
def test_anything_else_is_told(text: str) -> None:
    with pytest.raises(
        ConfigurationError, match="--from: expected first, next, an offset such as 5000, or a time"
    ):
        parse(text)
