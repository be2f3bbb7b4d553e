"""The rows of a CSV file, strictly: every line is in one of them, or is refused by its number.

How the file is opened, and in which encoding, is known to `input_file`.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, NoReturn

import msgspec

from scripts.files.formulas import are_ours, unescaped
from scripts.files.record import CHUNK_ROWS, Chunk, column_names
from shared.errors import InputFileError

Quotes = Literal["auto", "always", "none"]

DELIMITERS: Final = "\t;,"
"""The rarest in texts first: it is taken where a file has one column, or two explain it alike."""
SNIFFED_CHARS: Final = 1 << 16
SNIFFED_ROWS: Final = 50
LONGEST_CELL: Final = 1 << 22
"""Characters: a quote that opens and is never closed must not take a whole file into memory."""
csv.field_size_limit(LONGEST_CELL)

LIKE_ROWS: Final = "with what looks like other rows between"
_SEPARATOR_LINE: Final = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
_WHOLE_LINE: Final = re.compile(r'"(?:[^"]|"")*"\s*')
_LINE_END: Final = re.compile(r"[\r\n]")
_RUN: Final = re.compile(r"[0-9A-Za-z]+")
_DIGIT: Final = re.compile(r"[0-9]")
_CODE: Final = re.compile(r"(?=.*[0-9A-Za-z])[^А-Яа-яЁё]+")
_SENTENCE: Final = re.compile(r"[.!?()]")
LONGER: Final = 3
"""So many times the length of another word a category may have; a part of a sentence soon has more."""
_DECIMAL: Final = re.compile(r"[0-9],[0-9]")


class CsvFormat(msgspec.Struct):
    """How a CSV file is written: what is between its columns, what quotes are, and in which line the names stand."""

    delimiter: str
    quotes: Quotes
    header: int | None
    quoting: bool = False
    """Whether the first rows have more than one cell in quotes that need them, or a delimiter or line in quotes."""

    def reader(self, lines: Iterable[str], *, strict: bool) -> Iterator[list[str]]:
        """The rows of these lines."""
        if self.quotes == "none":
            return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE, strict=strict)
        return csv.reader(lines, delimiter=self.delimiter, strict=strict)

    def rows(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """The rows up to the first that cannot be read."""
        with suppress(csv.Error):
            yield from self.reader(lines, strict=False)


def csv_format(text: io.TextIOBase, delimiter: str | None, quotes: Quotes, header: int | None) -> CsvFormat:
    """The format of a file that begins with this text. A delimiter that is not named is found."""
    head = text.read(SNIFFED_CHARS)
    if (separator := _SEPARATOR_LINE.match(head)) is not None:
        # What Excel is told by, and writes into some files itself.
        return CsvFormat(delimiter or separator[1], quotes, header or 2)
    lines = head.splitlines(keepends=True)[(header or 1) - 1 :]
    formats = [CsvFormat(mark, quotes, header) for mark in delimiter or DELIMITERS]
    best = max(formats, key=lambda one: fit(one, lines))
    cells = [cell for row in best.rows(lines) for cell in row]
    best.quoting = (
        any(map(_WHOLE_LINE.fullmatch, lines))
        or any(best.delimiter in cell and not _LINE_END.search(cell) for cell in cells)
        or sum(bool(_LINE_END.search(cell)) for cell in cells) > 1
    )
    return best


def fit(given: CsvFormat, lines: list[str]) -> tuple[bool, float, bool, int]:
    """How well a delimiter explains the first rows: columns at all, rows of one length, bare names, many columns."""
    rows = list(itertools.islice(filter(_holds_something, given.rows(lines)), SNIFFED_ROWS))
    if not rows:
        return False, 0.0, False, 0
    rows = rows[:-1] if len(rows) > 2 else rows  # the last one may be cut
    width = len(rows[0])
    even = sum(len(row) == width for row in rows) / len(rows)
    return width > 1, even, all(name == name.strip() for name in rows[0]), width


class CsvRows:
    """The rows of an open CSV file, in chunks of up to 10,000. Raises InputFileError for what is malformed."""

    def __init__(self, path: Path, text: io.TextIOBase, given: CsvFormat) -> None:
        self._path, self._format = path, given
        self._skipped = (given.header or 1) - 1
        for _ in range(self._skipped):
            text.readline()
        self._lines = _Lines(text, given.delimiter)
        self._reader = given.reader(self._lines, strict=True)
        self._begins = self._skipped + 1
        self._several: tuple[int, int] | None = None
        """The first and last line of the first row that goes over several."""
        self.several: list[int] = []
        """Of a file of one column the line of the first row that goes over several, and how many there are."""
        self.short: list[int] = []
        """The line of the first row with fewer columns than the header, and how many there are."""

    def chunks(self) -> Iterator[Chunk]:
        """The rows as records."""
        names = column_names(self._path, next(filter(_holds_something, self._rows()), ()))
        if not names:
            found = (
                "blank lines"
                if not self._skipped
                else f"none from line {self._skipped + 1} on; name it with --header"
            )
            raise InputFileError(f"{self._path}: expected a header line, found {found}")
        if len(names) > 1 and self._may_be_rows(len(names), all):
            raise self._swallowing(self._begins, self._skipped + self._lines.read, LIKE_ROWS)
        ours, chunk = are_ours(names), Chunk()
        for row in self._rows():
            record = dict(zip(names, self._fitted(row, len(names)), strict=True))
            chunk.add(
                self._begins, record if not ours else {unescaped(k): unescaped(v) for k, v in record.items()}
            )
            if len(chunk) == CHUNK_ROWS:
                yield chunk
                chunk = Chunk()
        yield chunk

    def _rows(self) -> Iterator[list[str]]:
        lines, reader = self._lines, self._reader
        while True:
            lines.taken, before = [], lines.read
            self._begins = self._skipped + before + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._refuse_quote(error)
            if row:
                if self._format.quotes == "auto" and (
                    lines.read - before > 1 or (lines.lone and self._several)
                ):
                    self._refuse_swallowed(row)
                if len(row) == 1 and lines.read - before > 1:
                    self.several = counted_from(self.several, self._begins)
                yield row

    def _fitted(self, row: list[str], width: int) -> list[str]:
        """The row with as many cells as the header. Raises InputFileError where it has more that hold something."""
        if len(row) == width:
            return row
        if len(row) < width:
            if self._may_be_rows(width, any):
                raise self._swallowing(self._begins, self._skipped + self._lines.read, LIKE_ROWS)
            self._refuse_quoted_delimiters(row, width)
            self.short = counted_from(self.short, self._begins)
            return row + [""] * (width - len(row))
        if any(row[width:]):
            mark = self._format.delimiter
            raise InputFileError(
                f"{self._path}, line {self._begins}: expected {width} columns with {mark!r} between them, as in the "
                f"header, found {len(row)}; quote texts that hold {mark!r}, or name another --delimiter, or the "
                "header's line with --header"
            )
        return row[:width]

    def _refuse_quoted_delimiters(self, row: list[str], width: int) -> None:
        """Raises InputFileError for a row that has all of its cells once its quotes are letters."""
        mark = self._format.delimiter
        quoted = [cell for cell in row if mark in cell] if self._format.quotes == "auto" else []
        if (
            quoted
            and len(row) + sum(cell.count(mark) for cell in quoted) == width
            and all(is_tight(cell, mark) for cell in quoted)
        ):
            raise InputFileError(
                f"{self._path}, line {self._begins}: expected {width} columns as in the header, found {len(row)}, and "
                f"{mark!r} in quotes; if quotes are a part of the texts, add --quotes none, and if they are around "
                "cells, --quotes always"
            )

    def _refuse_quote(self, error: csv.Error) -> NoReturn:
        last = self._skipped + self._lines.read
        if "limit" in str(error) or "end of data" in str(error):
            found = "one that opens in this line and never closes"
        else:
            found = f"one that opens in this line, and after its end in line {last} more text"
        raise InputFileError(
            f"{self._path}, line {self._begins}: expected quotes around whole cells, and doubled inside of them, found "
            f"{found}; if quotes are a part of the texts, add --quotes none, else mend that line"
        ) from error

    def _refuse_swallowed(self, row: list[str]) -> None:
        """Rows between two stray quotes make one legal cell. Raises InputFileError where it looks like rows, or where
        another quote shows that the file has quotes as parts of texts."""
        lines, mark, last = self._lines, self._format.delimiter, self._skipped + self._lines.read
        several = [at for at, cell in enumerate(row) if _LINE_END.search(cell)]
        if any(holds_rows(lines.taken, at, len(row), mark, quoting=self._format.quoting) for at in several):
            raise self._swallowing(self._begins, last, LIKE_ROWS)
        if self._may_be_rows(len(row), all):
            self._several = self._several or (self._begins, last)
        if self._several is not None and lines.lone:
            other = f"with another one inside of a text in line {self._skipped + lines.lone}"
            raise self._swallowing(*self._several, other)

    def _may_be_rows(self, width: int, how_many: Callable[[Iterable[bool]], bool]) -> bool:
        """Whether all, or any, of the lines of a row that goes over several have the delimiters of a row."""
        several = self._format.quotes == "auto" and len(self._lines.taken) > 1
        return several and how_many(
            line.count(self._format.delimiter) == width - 1 for line in self._lines.taken
        )

    def _swallowing(self, first: int, last: int, found: str) -> InputFileError:
        return InputFileError(
            f"{self._path}, line {first}: expected a row, found a quote that opens in this line and closes in line "
            f"{last}, {found}; if quotes are a part of the texts, add --quotes none, and if all of this is one text, "
            "--quotes always"
        )


def counted_from(known: list[int], line: int) -> list[int]:
    """The line of the first of something, and how many there are with this one."""
    return [known[0], known[1] + 1] if known else [line, 1]


class _Lines:
    """Lines, counted; `taken` are those since it was emptied, `lone` is the first with a lone quote, or 0."""

    def __init__(self, text: Iterator[str], delimiter: str) -> None:
        self._next, self._lone_quote = text.__next__, lone_quote(delimiter).search
        self.taken, self.read, self.lone = list[str](), 0, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._next()
        self.read += 1
        self.taken.append(line)
        if not self.lone and '"' in line and self._lone_quote(line):
            self.lone = self.read
        return line


def _holds_something(row: Sequence[str]) -> bool:
    return any(cell.strip() for cell in row)


def lone_quote(delimiter: str) -> re.Pattern[str]:
    """A quote with other characters on both sides. Inside of a quoted cell it is doubled, and any other begins or ends
    one."""
    other = rf'[^"{re.escape(delimiter)}\r\n]'
    return re.compile(
        rf'"(?={other})(?<={other}")'
    )  # begins with what is rare: it is looked for in every line


def holds_rows(lines: Sequence[str], at: int, width: int, delimiter: str, *, quoting: bool) -> bool:
    """Whether the lines of one record, over which its cell `at` goes, look like as many rows.

    A row has as many cells, and one beside the text is of the form of this record's own. Of tabs the number is enough:
    texts have none. Where the others are words, as categories are, or there are none, the file must not be `quoting`
    elsewhere, and all lines must look so: words of that size, and delimiters as programs write them, without spaces.
    """
    raw = [line.rstrip("\r\n").split(delimiter) for line in lines]
    after, last = width - at - 1, len(raw) - 1
    if width == 1:
        return not quoting and all(map(str.strip, lines))
    if len(raw[0]) <= at or len(raw[last]) <= after:
        return False
    own = [*raw[0][:at], *raw[last][len(raw[last]) - after :]]
    for number, cells in enumerate(raw):
        if len(cells) != width or (number == 0 and delimiter == "," and _DECIMAL.search(lines[0])):
            continue
        # The record's own cells are before the text in the first line, and after it in the last one.
        pairs = list(zip([*cells[:at], *cells[at + 1 :]], own, strict=True))
        others = pairs[at if number == 0 else 0 : at if number == last else None]
        if others and (delimiter == "\t" or any(alike(one, mine) for one, mine in others)):
            return True
    if quoting or any(map(_CODE.fullmatch, own)):
        return False
    most = LONGER * max(map(len, own)) + LONGER
    beside = [cell for cells in raw for place, cell in enumerate(cells) if place != at]
    return (
        all(len(cells) == width for cells in raw)
        and all(is_tight(line, delimiter) for line in lines)
        and not any(len(cell) > most or _SENTENCE.search(cell) for cell in beside)
    )


def alike(one: str, other: str) -> bool:
    """Whether two cells are of one form: 12 and 7, shop-12 and shop-7, two UUIDs; or the very same."""
    if one == other or not other.strip():
        return bool(other.strip())
    if _RUN.sub("", one) != _RUN.sub("", other) or not _RUN.search(other):
        return False
    digits = bool(_DIGIT.search(one)), bool(_DIGIT.search(other))
    return digits == (True, True) or (digits == (False, False) and len(one) == len(other))


def is_tight(line: str, delimiter: str) -> bool:
    """Whether no delimiter has a space behind it, or makes a face."""
    return re.search(rf"{re.escape(delimiter)}(?:-?[()]|\s(?!\Z))", line) is None


def one_character(delimiter: str) -> str:
    """A delimiter as it was named on the command line. Raises InputFileError."""
    mark = "\t" if delimiter == "\\t" else delimiter
    if len(mark) != 1 or mark in '"\r\n':
        raise InputFileError(
            f"--delimiter: expected one character that is neither a quote nor a line end, found {delimiter!r}"
        )
    return mark


def opened_text(handle: Callable[[], io.BufferedIOBase], encoding: str) -> io.TextIOWrapper:
    """The file's text with its line ends as they are."""
    return io.TextIOWrapper(handle(), encoding=encoding, newline="")  # type: ignore[arg-type]
