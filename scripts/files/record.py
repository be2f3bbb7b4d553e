"""A row of a file, and what holds for the rows of every format."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any, TypeVar

from shared.errors import InputFileError

T = TypeVar("T")
Record = dict[str, Any]

CHUNK_ROWS = 10_000


class Chunk(list[Record]):
    """Rows, and the number of each in its file: of its line in a text, of its row in a sheet, else of its object."""

    def __init__(self, rows: Iterable[Record] = (), numbers: Iterable[int] = ()) -> None:
        super().__init__(rows)
        self.numbers = [*numbers]

    def add(self, number: int, row: Record) -> None:
        """One more row."""
        self.append(row)
        self.numbers.append(number)

    def where(self, holds: Callable[[Record], object]) -> Chunk:
        """The rows of which that holds."""
        found = Chunk()
        for number, row in self.numbered():
            if holds(row):
                found.add(number, row)
        return found

    def numbered(self) -> Iterator[tuple[int, Record]]:
        """Each row with its number."""
        return zip(self.numbers, self, strict=True)


EXACT = 10**15
"""From here on Excel rounds an integer, and soon every program that keeps it as floating point does."""
_ROUNDED = re.compile(r"[+-]?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,}")
# 01.фев, янв.26, 1-Feb, Feb-26: what Excel makes of 1-2 or 2/26, and keeps when it saves
_MONTHS = (
    "янв|фев|мар|апр|май|мая|июн|июл|авг|сен|окт|ноя|дек|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
)
_DATED = re.compile(rf"[0-9]{{1,2}}[.-](?:{_MONTHS})|(?:{_MONTHS})[.-][0-9]{{2}}", re.IGNORECASE)


def column_names(path: Path, names: Sequence[str]) -> list[str]:
    """The names of columns; one without a name gets its number.

    Raises InputFileError where two have one name, or names that differ in spaces, which nobody sees.
    """
    named = [name or f"Unnamed: {number}" for number, name in enumerate(names)]
    counts = Counter(" ".join(name.split()) for name in named)
    twice = next((name for name, count in counts.items() if count > 1), None)
    if twice is not None:
        raise InputFileError(
            f"{path}: expected columns with different names, found more than one {twice!r}; rename one"
        )
    return named


def cell(record: Record, column: str) -> str:
    """A cell as text, whatever type its file gives it; empty where there is none. 42.0 is the id 42."""
    value = record.get(column)
    return "" if value is None or value != value else str(whole_number(value))


def whole_number(value: Any) -> Any:
    """The integer that a floating-point number is, if it certainly is one; else what was given.

    A column with gaps is often stored as floating point, and a workbook knows nothing else.
    """
    certain = isinstance(value, float) and value.is_integer() and abs(value) < EXACT
    return int(value) if certain else value


def refuse_ruined(path: Path, row: int, value: object, remedy: str) -> None:
    """Raises InputFileError for an id of which a spreadsheet has kept the first digits only, or has made a date."""
    text = value.strip() if isinstance(value, str) else ""
    if _ROUNDED.fullmatch(text) or (isinstance(value, float) and value.is_integer() and abs(value) >= EXACT):
        why = "kept only the first digits of a long number, and different ids look the same"
    elif _DATED.fullmatch(text) or isinstance(value, (date, time, timedelta)):
        why = "made a date of it"
    else:
        return
    raise InputFileError(
        f"{path}, row {row}: expected an id, found {str(value).strip()}: a spreadsheet has {why}; export the file anew "
        f"with that column as text{remedy}"
    )


def refuse_damaged(path: Path, row: int, record: Record) -> None:
    """Raises InputFileError where a review's name has NUL characters: none that is stored has."""
    if any("\0" in cell(record, name) for name in ("id", "source")):
        raise InputFileError(
            f"{path}, row {row}: expected an id, found one with NUL characters: the file is damaged there; copy or "
            "export it anew"
        )


def only(path: Path, row: int, what: str, reviews: Sequence[T]) -> T:
    """The one review that a row names. Raises InputFileError, naming the row."""
    if len(reviews) == 1:
        return reviews[0]
    found = f"{len(reviews)} of different sources; add a column source" if reviews else "none"
    raise InputFileError(f"{path}, row {row}: expected one {what}, found {found}")
