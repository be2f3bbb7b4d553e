"""Where to begin in a stream, as a person says it: `first`, `next`, an offset, or a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal

from shared.errors import ConfigurationError

Start = Literal["first", "next"] | int | datetime

LARGEST_OFFSET = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check(stream: str | None, start: str | None) -> None:
    """Raises ConfigurationError for a start without a stream."""
    if start is not None and stream is None:
        raise ConfigurationError(
            f"--from {start}: expected --stream NAME beside it, found none; a queue has no positions"
        )


def parse(text: str) -> Start:
    """A start from its text; a time without a zone counts as UTC. Raises ConfigurationError."""
    if text == "first":
        return "first"
    if text == "next":
        return "next"
    # Not longer than the largest offset: Python refuses to read numbers of thousands of digits.
    if re.fullmatch("[0-9]{1,19}", text) and int(text) <= LARGEST_OFFSET:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
        moment = (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
        if moment < EPOCH:
            raise ValueError("AMQP has no times before 1970")  # noqa: TRY301
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(
            "--from: expected first, next, an offset such as 5000, or a time since 1970 such as 2026-01-02T03:04:05Z; "
            f"found {text[:100]!r}"
        ) from error
    return moment
