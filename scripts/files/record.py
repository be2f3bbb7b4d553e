"""A row of a file, and what holds for the rows of every format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from shared.errors import InputFileError

T = TypeVar("T")
Record = dict[str, Any]

CHUNK_ROWS = 10_000


def refuse_duplicates(path: Path, names: Iterable[str]) -> None:
    """Raises InputFileError where two columns have one name."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise InputFileError(
            f"{path}: expected columns with different names, found more than one {twice!r}; rename one"
        )


def require_columns(path: Path, records: list[Record], *columns: str) -> None:
    """Raises InputFileError unless the rows have the columns."""
    for column in columns:
        if column not in records[0]:
            raise InputFileError(
                f"{path}: expected a column {column!r}, found {', '.join(map(repr, records[0]))}"
            )


def cell(record: Record, column: str) -> str:
    """A cell as text, whatever type its file gives it; empty where there is none. 42.0 is the id 42."""
    value = record.get(column)
    if value is None or value != value:
        return ""
    # An id column with gaps is often stored as floating point.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def only(path: Path, row: int, what: str, reviews: Sequence[T]) -> T:
    """The one review that a row names. Raises InputFileError, naming the row."""
    if len(reviews) == 1:
        return reviews[0]
    found = f"{len(reviews)} of different sources; add a column source" if reviews else "none"
    raise InputFileError(f"{path}, row {row}: expected one {what}, found {found}")
