"""A row of a file, and what holds for the rows of every format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
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
UNSEEN = "\ufeff\u200b\u200e\u2060"
"""Characters without a width, such as the mark of a file that was put together of several, each with its own."""
UNNAMED = "Unnamed: "


def column_names(path: Path, names: Sequence[str]) -> list[str]:
    """The names of columns; one without a name gets its number.

    Raises InputFileError where two have one name, or names that differ in spaces, which nobody sees.
    """
    seen = [name.strip(UNSEEN) for name in names]
    named = [name or f"{UNNAMED}{number}" for number, name in enumerate(seen)]
    counts = Counter(" ".join(name.split()) for name in named)
    twice = next((name for name, count in counts.items() if count > 1), None)
    if twice is not None:
        raise InputFileError(
            f"{path}: expected columns with different names, found more than one {twice!r}; rename one"
        )
    return named


def repeated_headers(rows: Chunk) -> Chunk:
    """The rows whose cells are all the names of their columns, as where one table was put behind another."""
    first = next((name for row in rows[:1] for name in row if not name.startswith(UNNAMED)), None)
    if first is None or not any(str(row.get(first)).endswith(first) for row in rows):
        return Chunk()
    return rows.where(repeats_header)


def repeats_header(record: Record) -> bool:
    """Whether all cells of a row are the names of their columns."""
    return len(record) > 1 and all(
        isinstance(value, str) and (value.strip(UNSEEN) == name or (not value and name.startswith(UNNAMED)))
        for name, value in record.items()
    )


def cell(record: Record, column: str) -> str:
    """A cell as text, whatever type its file gives it; empty where there is none. 42.0 is the id 42."""
    value = record.get(column)
    return "" if value is None or value != value else str(whole_number(value))


def whole_number(value: Any) -> Any:
    """The integer that a floating-point number is, if it certainly is one; else what was given.

    A column with gaps is often stored as floating point, and a workbook knows nothing else.
    """
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else value
    certain = isinstance(value, float) and value.is_integer() and abs(value) < EXACT
    return int(value) if certain else value


def only(path: Path, row: int, what: str, reviews: Sequence[T]) -> T:
    """The one review that a row names. Raises InputFileError, naming the row."""
    if len(reviews) == 1:
        return reviews[0]
    found = f"{len(reviews)} of different sources; add a column source" if reviews else "none"
    raise InputFileError(f"{path}, row {row}: expected one {what}, found {found}")
