"""Rows of a file as objects of the wire contract, and groups of them for messages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

import msgspec

from scripts.command.console import remark
from scripts.command.escaping import storable
from scripts.files import ids
from scripts.files.columns import plain
from scripts.files.input_file import InputFile
from scripts.files.presets import PRESETS, RUSSIAN, Headings, Preset
from scripts.files.record import Record, cell, whole_number
from scripts.files.times import moment
from scripts.language.language import counted, grouped, translated
from shared.errors import InputFileError
from shared.reviews import moments, paths, review

TEXT_NAMES: Final = RUSSIAN.text[0]
ID_NAMES: Final = ("id", *RUSSIAN.id)
"""What these columns are called in Russian exports, and in ours, the likeliest first; in any case."""

WITHOUT_IDS: Final = ", or add --without-ids"


class Columns(msgspec.Struct, frozen=True):
    """Which columns hold what; a text is joined from all of its columns.

    `id` and `created_at` may be absent: rows are numbered then, or have no date. `meta` is what is kept beside.
    """

    text: tuple[str, ...] = ()
    id: str | None = None
    created_at: str | None = None
    source: str | None = None
    without_ids: bool = False
    meta: dict[str, str] = {}


class ReviewRows:
    """The rows of a file as objects of the wire contract, numbered from 1.

    Columns that were not named are found by those of a preset, or by their usual names, ours before Russian ones, where
    they are present. A name with dots may lead into a nested object.
    Without an id column, and where its cell is empty, a row is called by its number and the beginning of its
    text's SHA-256, `row-7-1c8bfe8f`: the same file again changes nothing, and another file with the same name
    replaces nothing. Without a source column the file's name is the source.
    `kinds` are the columns met so far, each with the Python types of its values.
    """

    def __init__(
        self, file: InputFile, columns: Columns, default_source: str, preset: Preset | None = None
    ) -> None:
        self.file = file
        self.columns = columns
        self.kinds: dict[str, set[type]] = {}
        self._default_source = storable(default_source)
        self._preset = preset
        self._resolved = False
        self._fractions = False
        """Whether whole ids have a fraction of 0 in the file."""

    def check(self) -> None:
        """Raises InputFileError where the file's beginning cannot be read, or lacks a column."""
        next(self.chunks(), None)

    def check_ids(self) -> None:
        """Say how many of the first rows another one replaces. Raises InputFileError where these are most."""
        _, wire = next(self.chunks(), ([], []))
        names = [(row["source"], row["id"]) for row in wire]
        if lost := ids.refuse_shared(self.file.path, names, [row["text"] for row in wire]):
            told = counted(
                "{number} of the first {rows} rows is replaced by a later row with its id and another text",
                "{number} of the first {rows} rows are replaced by later rows with their ids and other texts",
                lost,
                rows=grouped(len(wire)),
            )
            remark(translated("note"), told)

    def chunks(self) -> Iterator[tuple[list[Record], list[Record]]]:
        """Pairs of (rows as they stand in the file, the same rows in the wire contract)."""
        number = 0
        for records in self.file.records():
            if records and not self._resolved:
                self._resolve(records)
            for record in records:
                if (name := self.columns.id) is not None and isinstance(record.get(name), float):
                    record[name] = whole_number(record[name]) if record[name] == record[name] else None
                for name, value in record.items():
                    # An integer that does not fit 64 bits counts as an object of its own kind.
                    huge = isinstance(value, int) and not -(2**63) <= value < 2**63
                    self.kinds.setdefault(name, set()).add(object if huge else type(value))
            yield (
                records,
                [
                    self._wire(record, number + offset, line)
                    for offset, (line, record) in enumerate(records.numbered(), 1)
                ],
            )
            number += len(records)

    def _resolve(self, records: list[Record]) -> None:
        present = {name: value for record in reversed(records) for name, value in record.items()}
        given, find = self.columns, finder(self.file.path, records, present)

        def written(name: str | None, option: str) -> str | None:
            """What it is called in the file."""
            if name is not None and find(name) is None:
                raise self._missing(name, option, present)
            return name and find(name)

        named = msgspec.structs.replace(
            given,
            text=tuple(
                dict.fromkeys(found for name in given.text if (found := written(name, "--text-column")))
            ),
            id=written(given.id, "--id-column"),
            source=written(given.source, "--source-column"),
            created_at=written(given.created_at, "--created-column"),
        )
        chosen = named if self._preset is None else by_preset(named, self._preset, find)
        text = chosen.text or usual_text(self.file.path, find)
        self.columns = msgspec.structs.replace(
            chosen,
            text=text or (written("text", "--text-column") or "",),
            id=None if given.without_ids else chosen.id or first_of(ID_NAMES, find),
            source=chosen.source or find("source"),
            created_at=chosen.created_at or usual_time(records, find),
        )
        if (column := self.columns.id) is not None:
            names = [paths.at(record, column) for record in records]
            ids.refuse_zeros(self.file.path, names, WITHOUT_IDS)
            self._fractions = ids.are_fractions(names)
        self._resolved = True
        remark(translated("columns"), self._told())

    def _told(self) -> str:
        """What is taken from which column."""
        columns = self.columns
        by_number = translated("no ids: rows are called by number and text")
        told = (
            translated("{field} from {columns}", field="text", columns=" + ".join(map(repr, columns.text))),
            translated("{field} from {columns}", field="id", columns=repr(columns.id))
            if columns.id
            else by_number,
            translated("{field} from {columns}", field="created_at", columns=repr(columns.created_at))
            if columns.created_at
            else translated("no created_at"),
            translated("{field} from {columns}", field="source", columns=repr(columns.source))
            if columns.source
            else translated("source {name}", name=repr(self._default_source)),
        )
        return "; ".join(told)

    def _missing(self, name: str, option: str, present: dict[str, Any]) -> InputFileError:
        remedy = f"say which one it is with {option}"
        if self.file.format in (".csv", ".xlsx"):
            remedy += ", or with --header in which line or row the names stand"
        if array := arrays_in(present):
            remedy += f", or write the array at {' or '.join(array)} into a file of its own, if that has the reviews"
        if name == "text" and self._preset is None:
            remedy += f", or with --format ({', '.join(PRESETS)}) which marketplace's export it is"
        return InputFileError(
            f"{self.file.path}: expected a column {name!r}, found {', '.join(map(repr, present))}; {remedy}"
            f"{self.file.elsewhere}"
        )

    def _wire(self, record: Record, number: int, line: int) -> Record:
        columns = self.columns
        row: Record = {
            "source": (columns.source and self._cell(record, columns.source)) or self._default_source,
            "id": (columns.id and self._cell(record, columns.id)) or "",
            "text": self._text(record),
        }
        if columns.id:
            ids.refuse_ruined(self.file.path, line, paths.at(record, columns.id), WITHOUT_IDS)
            row["id"] = ids.whole(row["id"]) if self._fractions else row["id"]
        if not row["id"]:
            text = str(row["text"]).encode(errors="replace")
            row["id"] = f"row-{number}-{hashlib.sha256(text).hexdigest()[:8]}"
        if columns.created_at and (at := moment(paths.at(record, columns.created_at))):
            row["created_at"] = at
        if meta := {name: _kept(paths.at(record, column)) for name, column in columns.meta.items()}:
            row["meta"] = {name: value for name, value in meta.items() if value is not None}
        return row

    def _text(self, record: Record) -> object:
        """The text of all its columns; one that is no text stays, for the wire contract to refuse."""
        parts = [self._cell(record, column) for column in self.columns.text]
        if len(parts) == 1:
            return parts[0]
        wrong = next((part for part in parts if not isinstance(part, str)), None)
        return wrong or review.joined(map(str, parts))

    def _cell(self, record: Record, column: str) -> object:
        """The value as text: an absent one is empty. Lists and objects stay, for the wire contract to refuse."""
        value = paths.at(record, column)
        if isinstance(value, (str, list, dict)):
            return value
        if isinstance(value, bytes):
            try:
                return value.decode()
            except UnicodeDecodeError as error:
                raise InputFileError(
                    f"{self.file.path}, column {column!r}: expected text in UTF-8, found other bytes"
                ) from error
        return cell({column: value}, column)


def arrays_in(record: Record) -> list[str]:
    """The paths of arrays of objects in a row of JSON: of reviews, if it is the answer of a marketplace's interface."""
    found = []
    for name, value in record.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            found.append(name)
        elif isinstance(value, dict):
            found += [f"{name}.{path}" for path in arrays_in(value)]
    return found


Find = Callable[[str], str | None]
"""What a column of some name is called in the file, None where it is not there."""


def finder(path: Path, records: list[Record], present: Iterable[str]) -> Find:
    """What a column is called in the file: by its name, by one that differs in case or spaces, or as a path in it.

    What it returns raises InputFileError where two columns differ in case only.
    """
    alike: dict[str, list[str]] = {}
    for column in present:
        alike.setdefault(plain(column), []).append(column)

    def find(name: str) -> str | None:
        if name in present:
            return name
        if "." in name and any(paths.at(record, name) is not None for record in records):
            return name
        found = alike.get(plain(name), [])
        if len(found) > 1:
            raise InputFileError(
                f"{path}: expected one column {name!r}, found {', '.join(map(repr, found))}; rename the others"
            )
        return found[0] if found else None

    return find


def first_of(names: Headings, find: Find) -> str | None:
    """The first of the names that the file has, as it is called there."""
    return next((found for name in names if (found := find(name)) is not None), None)


def usual_text(path: Path, find: Find) -> tuple[str, ...]:
    """`text`, or the one column with a usual Russian name; none where there is neither. Other texts beside it are told.

    Raises InputFileError where several columns have such names.
    """
    if (ours := find("text")) is not None:
        return (ours,)
    found = list(dict.fromkeys(name for one in TEXT_NAMES if (name := find(one)) is not None))
    if len(found) > 1:
        raise InputFileError(
            f"{path}: expected one column with texts, found {', '.join(map(repr, found))}; name one with "
            "--text-column, or several, each with an option of its own, to join them"
        )
    if found and (others := [name for names in RUSSIAN.text[1:] if (name := first_of(names, find))]):
        told = translated(
            "not read: {columns}; --text-column for each column joins them",
            columns=", ".join(map(repr, others)),
        )
        remark(translated("note"), told)
    return tuple(found)


def usual_time(records: list[Record], find: Find) -> str | None:
    """`created_at`, or the first column with a usual Russian name of which every cell is a time or empty."""
    if (ours := find("created_at")) is not None:
        return ours
    for name in RUSSIAN.created_at:
        if (found := find(name)) is not None:
            written = (moment(paths.at(record, found)) for record in records)
            other = (at for at in written if at and not isinstance(at, date) and not moments.of_text(str(at)))
            if (first := next(other, None)) is None:
                return found
            told = translated(
                "{column} is not taken as created_at, since {value} is no time; --created-column takes it all the "
                "same, and such rows are rejected",
                column=repr(found),
                value=repr(str(first)[:40]),
            )
            remark(translated("note"), told)
    return None


def by_preset(given: Columns, preset: Preset, find: Find) -> Columns:
    """The columns that a preset knows; those that a person has named go first."""
    text = tuple(found for names in preset.text if (found := first_of(names, find)) is not None)
    return msgspec.structs.replace(
        given,
        text=given.text or text,
        id=given.id or first_of(preset.id, find),
        created_at=given.created_at or first_of(preset.created_at, find),
        meta={
            name: found for name, names in preset.meta.items() if (found := first_of(names, find)) is not None
        },
    )


def _kept(value: Any) -> Any:
    """A value for meta: numbers as numbers, nothing for what is empty."""
    if isinstance(value, str):
        value = (
            int(value) if value.isascii() and value.isdigit() and len(value) < 10 else value.strip() or None
        )
    elif isinstance(value, (date, bytes)):
        value = str(value)
    return value if value == value else None


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
