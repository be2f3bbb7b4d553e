"""Where a message first came from, as a header: what is read of it, and what is no header of ours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.reviews import origin
from shared.reviews.origin import HEADER, Origin

AT = datetime(2026, 11, 28, 7, 16, tzinfo=UTC)


@pytest.mark.parametrize("came", [Origin("reviews.incoming", AT, None, True), Origin("stream a", AT, 7)])
def test_an_origin_comes_back_out_of_its_header(came):
    assert origin.of({"other": 1, **came.headers}) == came


@pytest.mark.parametrize(
    "headers",
    [
        None,
        {},
        {HEADER: ""},
        {HEADER: "7"},
        {HEADER: b"\xff"},
        {HEADER: {}},
        {HEADER: '{"queue": "a", "at": "2026-11-28T07:16:00"}'},
        {HEADER: '{"queue": "a\\u0000", "at": "2026-11-28T07:16:00Z"}'},
        {HEADER: '{"queue": "a", "at": "2026-11-28T07:16:00Z", "offset": 9223372036854775808}'},
        {HEADER: '{"queue": "a", "at": "2026-11-28T07:16:00Z", "more": 1}'},
    ],
)
def test_any_other_header_says_nothing(headers):
    assert origin.of(headers) is None
