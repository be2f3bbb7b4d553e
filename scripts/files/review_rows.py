"""Rows of a file as objects of the wire contract, and groups of them for messages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime

import msgspec

from scripts.command.escaping import storable
from scripts.files.input_file import InputFile
from scripts.files.record import Record, cell
from shared.errors import InputFileError


class Columns(msgspec.Struct, frozen=True):
    """Which columns hold what. `id` and `created_at` may be absent: rows are numbered then, or have no date."""

    text: str = "text"
    id: str | None = None
    created_at: str | None = None
    source: str | None = None


RUSSIAN_TIMES = ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S")


class ReviewRows:
    """The rows of a file as objects of the wire contract, numbered from 1.

    Columns that were not named are found by their usual names: `id` and `source`, where they are present.
    Without an id column, and where its cell is empty, a row is called by its number and the beginning of its
    text's SHA-256, `row-7-1c8bfe8f`: the same file again changes nothing, and another file with the same name
    replaces nothing. Without a source column the file's name is the source.
    `kinds` are the columns met so far, each with the Python types of its values.
    """

    def __init__(self, file: InputFile, columns: Columns, default_source: str) -> None:
        self.file = file
        self.columns = columns
        self.kinds: dict[str, set[type]] = {}
        self._default_source = storable(default_source)
        self._resolved = False

    def check(self) -> None:
        """Raises InputFileError where the file's beginning cannot be read, or lacks a column."""
        next(self.chunks(), None)

    def chunks(self) -> Iterator[tuple[list[Record], list[Record]]]:
        """Pairs of (rows as they stand in the file, the same rows in the wire contract)."""
        number = 0
        for records in self.file.records():
            if records and not self._resolved:
                self._resolve(records)
            for record in records:
                for name, value in record.items():
                    # An integer that does not fit 64 bits counts as an object of its own kind.
                    huge = isinstance(value, int) and not -(2**63) <= value < 2**63
                    self.kinds.setdefault(name, set()).add(object if huge else type(value))
            yield records, [self._wire(record, number + offset) for offset, record in enumerate(records, 1)]
            number += len(records)

    def _resolve(self, records: list[Record]) -> None:
        present = {name: None for record in records for name in record}
        for option, name in (
            ("--text-column", self.columns.text),
            ("--id-column", self.columns.id),
            ("--source-column", self.columns.source),
            ("--created-column", self.columns.created_at),
        ):
            if name is not None and name not in present:
                raise InputFileError(
                    f"{self.file.path}: expected a column {name!r}, found {', '.join(map(repr, present))}; "
                    f"say which one it is with {option}"
                )
        usual = {name: name if name in present else None for name in ("id", "source")}
        self.columns = msgspec.structs.replace(
            self.columns, id=self.columns.id or usual["id"], source=self.columns.source or usual["source"]
        )
        self._resolved = True

    def _wire(self, record: Record, number: int) -> Record:
        columns = self.columns
        row: Record = {
            "source": (columns.source and self._cell(record, columns.source)) or self._default_source,
            "id": (columns.id and self._cell(record, columns.id)) or "",
            "text": self._cell(record, columns.text),
        }
        if not row["id"]:
            text = str(row["text"]).encode(errors="replace")
            row["id"] = f"row-{number}-{hashlib.sha256(text).hexdigest()[:8]}"
        if columns.created_at and (moment := _moment(record.get(columns.created_at))):
            row["created_at"] = moment
        return row

    def _cell(self, record: Record, column: str) -> object:
        """The value as text: an absent one is empty. Lists and objects stay, for the wire contract to refuse."""
        value = record.get(column)
        if isinstance(value, (str, list, dict)):
            return value
        if isinstance(value, bytes):
            try:
                return value.decode()
            except UnicodeDecodeError as error:
                raise InputFileError(
                    f"{self.file.path}, column {column!r}: expected text in UTF-8, found other bytes"
                ) from error
        return cell(record, column)


def _moment(value: object) -> object:
    """Date and time in ISO 8601, of that or of 03.01.2025 with or without a time; else the value, to be refused."""
    if isinstance(value, str):
        if not value.strip():
            return None
        for form in (None, *RUSSIAN_TIMES):
            with suppress(ValueError):
                text = value.strip()
                moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007  UTC
                return moment.isoformat()
        return value
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day).isoformat()  # noqa: DTZ001  the contract says UTC
    return None if value != value else value


def pack(rows: Iterable[Record], max_rows: int, max_chars: int = 1_000_000) -> Iterator[list[Record]]:
    """Group rows for messages: up to `max_rows` of them, and about `max_chars` characters of text."""
    group: list[Record] = []
    chars = 0
    for row in rows:
        if group and (len(group) >= max_rows or chars + len(row["text"]) > max_chars):
            yield group
            group, chars = [], 0
        group.append(row)
        chars += len(row["text"])
    if group:
        yield group
