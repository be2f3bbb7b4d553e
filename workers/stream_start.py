"""Where to begin in a stream, as a person says it: `first`, `next`, an offset, or a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from shared.errors import ConfigurationError

Start = Literal["first", "next"] | int | datetime

LARGEST_OFFSET = 2**63 - 1


def parse(text: str) -> Start:
    """A start from its text; a time without a zone counts as UTC. Raises ConfigurationError."""
    if text == "first":
        return "first"
    if text == "next":
        return "next"
    if text.isascii() and text.isdigit() and int(text) <= LARGEST_OFFSET:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(
            "--from: expected first, next, an offset such as 5000, or a time such as 2026-01-02T03:04:05Z; found "
            f"{text!r}"
        ) from error
