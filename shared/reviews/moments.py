"""Moments as files and producers write them: by ISO 8601, as 28.11.2026 10:16, or as a Unix time."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

RUSSIAN_FORMS: Final = ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S")
_NUMBER: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?")
_DOTNET: Final = re.compile(r"/Date\((-?[0-9]{1,15})(?:[+-][0-9]{4})?\)/")
_JAVA_ZONE: Final = re.compile(r"(?<=[Z0-9])\[[A-Za-z0-9/_+-]+\]$")


def number_in(text: str) -> float | None:
    """The number that a text is, and nothing else."""
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None


def of_number(value: float) -> datetime | None:
    """The moment of a Unix time in seconds or milliseconds; None for a number that is neither in 1985 to 2128."""
    for unit in (1, 1_000):
        if 500_000_000 * unit <= value < 5_000_000_000 * unit:
            return datetime.fromtimestamp(value / unit, UTC)
    return None


def of_text(text: str) -> datetime | None:
    """The moment that is written there, or None; where its offset from UTC is not, it has no zone.

    Besides the forms above `/Date(1795850160000)/`, of .NET, and `2026-11-28T10:16+03:00[Europe/Moscow]`, of Java.
    """
    if found := _DOTNET.fullmatch(text):
        return of_number(int(found[1]))
    for form in (None, *RUSSIAN_FORMS):
        with suppress(ValueError):
            if form is None:
                return datetime.fromisoformat(_JAVA_ZONE.sub("", text))
            return datetime.strptime(text, form)  # noqa: DTZ007  the caller knows the zone
    return None


def of_fields(values: list[Any]) -> datetime | None:
    """The moment of year, month, day, hour, minute, second and nanosecond, of which the last ones may be missing.

    So Java's Jackson writes a local time where nobody has told it otherwise.
    """
    if not 3 <= len(values) <= 7 or any(type(value) is not int for value in values):
        return None
    year, month, day, hour, minute, second, nanosecond = [*values, 0, 0, 0, 0][:7]
    with suppress(ValueError, OverflowError):
        return datetime(year, month, day, hour, minute, second, nanosecond // 1_000)  # noqa: DTZ001
    return None


def of_json(value: object) -> datetime | None:
    """The moment that a value of JSON means by any of these forms, a number also as text; None for others."""
    if isinstance(value, str):
        text = value.strip()
        number = number_in(text)
        return (None if number is None else of_number(number)) or of_text(text)
    if isinstance(value, list):
        return of_fields(value)
    return of_number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
