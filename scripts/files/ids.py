"""Ids as programs leave them: whole again where they were stored as floating point, refused where they are ruined."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any, Final

from scripts.files.record import EXACT, Record, cell
from shared.errors import InputFileError

_ROUNDED: Final = re.compile(
    r"[+-]?[0-9](?:[.,][0-9]+)?[eEеЕ]\+[0-9]{2,}|[+-]?[0-9][.,][0-9]+[eEеЕ][0-9]{1,2}"
)
# 01.фев, янв.26, 1-Feb, Feb-26: what Excel makes of 1-2 or 2/26, and keeps when it saves
_MONTHS: Final = (
    "янв|фев|мар|апр|май|мая|июн|июл|авг|сен|окт|ноя|дек|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
)
_DATED: Final = re.compile(
    rf"[0-9]{{1,2}}[.-](?:{_MONTHS})(?:[.-][0-9]{{2,4}})?|(?:{_MONTHS})[.-][0-9]{{2,4}}", re.IGNORECASE
)
_ERROR: Final = re.compile(
    r"#(?:##+|N/A|Н/Д|VALUE!|ЗНАЧ!|REF!|ССЫЛКА!|NAME\?|ИМЯ\?|DIV/0!|ДЕЛ/0!|NUM!|ЧИСЛО!|NULL!|ПУСТО!)"
)
_FRACTION: Final = re.compile(r"-?[0-9]+[.,]0")
_DIGITS_OF_EXCEL: Final = 15
LEAST_ZEROS: Final = 5
"""So many digits that Excel has lost: by chance they are all 0 once in 100,000 files."""


def refuse_ruined(path: Path, row: int, value: object, remedy: str) -> None:
    """Raises InputFileError for an id of which a spreadsheet has kept the first digits, or has made another thing."""
    text = value.strip() if isinstance(value, str) else ""
    if _ROUNDED.fullmatch(text) or (isinstance(value, float) and value.is_integer() and abs(value) >= EXACT):
        why = "kept only the first digits of a long number, and different ids look the same"
    elif _DATED.fullmatch(text) or isinstance(value, (date, time, timedelta)):
        why = "made a date of it"
    elif _ERROR.fullmatch(text):
        why = "an error in its place"
    else:
        return
    raise InputFileError(
        f"{path}, row {row}: expected an id, found {str(value).strip()}: a spreadsheet has {why}; export the file anew "
        f"with that column as text{remedy}"
    )


def refuse_zeros(path: Path, values: Iterable[object], remedy: str) -> None:
    """Raises InputFileError where every long id ends in zeros from its 16th digit on: so Excel saves whole numbers."""
    found = [value.strip() for value in values if isinstance(value, str)]
    long = [value for value in found if value.isascii() and value.isdigit() and len(value) > _DIGITS_OF_EXCEL]
    lost = [value[_DIGITS_OF_EXCEL:] for value in long]
    if sum(map(len, lost)) >= LEAST_ZEROS and not any(digits.strip("0") for digits in lost):
        raise InputFileError(
            f"{path}: expected ids, found {long[0]}, and zeros from the 16th digit on in every long one: a "
            f"spreadsheet has lost those digits; export the file anew with that column as text{remedy}"
        )


def refuse_damaged(path: Path, row: int, record: Record) -> None:
    """Raises InputFileError where a review's name has NUL characters: none that is stored has."""
    if any("\0" in cell(record, name) for name in ("id", "source")):
        raise InputFileError(
            f"{path}, row {row}: expected an id, found one with NUL characters: the file is damaged there; copy or "
            "export it anew"
        )


def refuse_shared(path: Path, names: Sequence[tuple[Any, Any]], texts: Sequence[Any]) -> int:
    """How many of these rows have another text than a later row of their id.

    Raises InputFileError where most have: then the column names something else than reviews, as an article does.
    """
    last = dict(zip(map(str, names), texts, strict=True))
    lost = sum(last[str(name)] != text for name, text in zip(names, texts, strict=True))
    if 2 * lost > len(names):
        raise InputFileError(
            f"{path}: expected an id for each review, found that {lost:,} of the first {len(names):,} rows have "
            "another text than a later row with their id, which would replace them; name the column of the reviews' "
            "own ids with --id-column, or add --without-ids"
        )
    return int(lost)


def are_fractions(values: Iterable[object]) -> bool:
    """Whether all ids of a column of text are whole numbers with ,0 or .0 behind, as pandas writes them beside gaps."""
    column = [value.strip() for value in values if isinstance(value, str)]
    found = set(filter(None, column))
    return len(column) > 1 and bool(found) and all(map(_FRACTION.fullmatch, found))


def whole(value: Any) -> Any:
    """42 for 42.0 or 42,0."""
    return value.strip()[:-2] if isinstance(value, str) and _FRACTION.fullmatch(value.strip()) else value
