"""Times in files: those that messages have, and the numbers and days of spreadsheets."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from shared.reviews import moments

EXCEL_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001  the contract says UTC


def moment(value: object) -> object:
    """Date and time in ISO 8601, of that, of 03.01.2025 with or without a time, or of a number; else the value, to be
    refused."""
    if isinstance(value, str):
        text = value.strip()
        number = moments.number_in(text)
        found = (number is not None and _numbered(number)) or moments.of_text(text)
        return found.isoformat() if found else text and value
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day).isoformat()  # noqa: DTZ001  the contract says UTC
    if isinstance(value, (int, float)) and value == value:
        found = _numbered(value)
        return found.isoformat() if found else value
    return None if value != value else value


def _numbered(value: float) -> datetime | None:
    """The moment of a Unix time, or of Excel's number of a day; None for other numbers."""
    if 20_000 <= value < 80_000:
        return EXCEL_EPOCH + timedelta(seconds=round(value * 86_400))
    return moments.of_number(value)
