"""Files of reviews: CSV, JSON lines or Parquet, read in chunks as plain rows.

Lives here: the formats, and what can be wrong with a file. Not here: what the columns mean (`review_rows`).
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from scripts.command.escaping import storable
from scripts.files.record import CHUNK_ROWS, Record, require_columns
from shared.errors import InputFileError
from shared.reviews.wire import json_fault
from shared.text.nesting import is_too_deep

FORMATS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")

_GZIP = b"\x1f\x8b"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NOT_TEXT = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive; save it as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save it as CSV UTF-8",
    b"PAR1": "a Parquet file; give it a name that ends in .parquet",
}


class InputFile:
    """A file of reviews. `records()` yields chunks of plain dicts, column name to value, in file order.

    Raises InputFileError for a file that is missing, empty, unreadable, in another encoding or malformed, and
    for one that changes between two readings.
    """

    def __init__(self, path: Path, *, encoding: str = "utf-8", delimiter: str | None = None) -> None:
        self.path = path
        self._encoding = _text_encoding(encoding)
        self._delimiter = None if delimiter is None else _one_character(delimiter)
        self._raw: BinaryIO | None = None
        self._done = 0.0
        self._state = self._look()

    def _look(self) -> tuple[int, int]:
        """Size and time of change; raises where there is no file with something in it."""
        try:
            if not self.path.is_file():
                found = "a folder" if self.path.is_dir() else "nothing of the kind"
                raise InputFileError(f"{self.path}: expected a file, found {found}")
            stat = self.path.stat()
        except OSError as error:
            raise InputFileError(f"{self.path}: expected a readable file, found: {error.strerror}") from error
        if stat.st_size == 0:
            raise InputFileError(
                f"{self.path}: expected a header and at least one review, found an empty file"
            )
        return stat.st_size, stat.st_mtime_ns

    @property
    def name(self) -> str:
        """The file's name as it can be shown and stored, whatever bytes it is made of."""
        return storable(self.path.name)

    @property
    def format(self) -> str:
        """The file's format by its name: `.csv`, `.jsonl` or `.parquet`, compressed or not."""
        name = self.path.name.lower().removesuffix(".gz")
        for suffix in FORMATS:
            if name.endswith(suffix):
                return {".ndjson": ".jsonl", ".tsv": ".csv"}.get(suffix, suffix)
        raise InputFileError(
            f"{self.path}: expected a name that ends in {', '.join(FORMATS)} (CSV and JSON lines also with .gz)"
        )

    @property
    def fraction_read(self) -> float:
        """How much of the file has been read, 0..1."""
        if self._raw is not None and not self._raw.closed:
            self._done = self._raw.tell() / self._state[0]
        return min(1.0, self._done)

    def records(self) -> Iterator[list[Record]]:
        """The rows, in chunks of up to 10,000."""
        reader = {".csv": self._csv, ".jsonl": self._json_lines, ".parquet": self._parquet}[self.format]
        if self._look() != self._state:
            raise InputFileError(f"{self.path}: expected the file as it was, found it changed; start again")
        empty = True
        try:
            for chunk in reader():
                empty = empty and not chunk
                yield chunk
        except UnicodeError as error:
            raise self._wrong_encoding() from error
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputFileError(
                f"{self.path}: expected a whole gzip file, found a damaged or cut one ({error}); copy it again"
            ) from error
        except OSError as error:
            raise InputFileError(
                f"{self.path}: expected a readable file, found: {error.strerror or error}"
            ) from error
        if empty:
            raise InputFileError(f"{self.path}: expected at least one review, found a header and no rows")

    def _open(self) -> io.BufferedIOBase:
        """The file's bytes, unpacked; a gzip file is known by its first bytes, not by its name."""
        raw = self.path.open("rb")
        self._raw = raw
        head = raw.peek(4)[:4]
        if head in _NOT_TEXT:
            raw.close()
            raise InputFileError(f"{self.path}: expected a text file, found {_NOT_TEXT[head]}")
        return gzip.GzipFile(fileobj=raw) if head.startswith(_GZIP) else raw

    def _csv(self) -> Iterator[list[Record]]:
        # pandas and pyarrow take longer to load than most commands that read another file.
        from scripts.files.csv_rows import csv_rows

        return csv_rows(self.path, self._open, self._encoding, self._delimiter)

    def _parquet(self) -> Iterator[list[Record]]:
        from scripts.files.parquet_rows import parquet_rows

        for done, records in parquet_rows(self.path):
            self._done = done
            yield records

    def _wrong_encoding(self) -> InputFileError:
        with self._open() as handle:
            start = handle.read(2)
        here = self._encoding.removesuffix("-sig")
        hint = "utf-16" if start in _UTF_16 and here != "utf-16" else "cp1251" if here == "utf-8" else "utf-8"
        return InputFileError(
            f"{self.path}{self._first_bad_line()}: expected text in {here}, found bytes that are not; "
            f"if it was saved by Excel or an older system, try --encoding {hint}"
        )

    def _first_bad_line(self) -> str:
        """Where decoding fails, for people; encodings in which a line end is more than one byte have no lines."""
        if self._encoding.startswith(("utf-16", "utf-32", "utf_16", "utf_32")):
            return ""
        with self._open() as handle:
            for number, line in enumerate(handle, 1):
                try:
                    line.decode(self._encoding)
                except UnicodeError:
                    return f", line {number}"
        return ""

    def _json_lines(self) -> Iterator[list[Record]]:
        chunk: list[Record] = []
        decoder = msgspec.json.Decoder(dict[str, Any])
        with self._open() as handle:
            for number, line in enumerate(self._lines(handle), 1):
                if not line.strip():
                    continue
                chunk.append(self._json_line(decoder, line, number))
                if len(chunk) == CHUNK_ROWS:
                    yield chunk
                    chunk = []
        yield chunk

    def _lines(self, handle: io.BufferedIOBase) -> Iterator[bytes]:
        """The lines in UTF-8, without a byte order mark."""
        if self._encoding == "utf-8-sig":
            yield handle.readline().removeprefix(codecs.BOM_UTF8)
            yield from handle
        else:
            with io.TextIOWrapper(cast("BinaryIO", handle), encoding=self._encoding, newline="\n") as text:
                yield from (line.encode() for line in text)

    def _json_line(self, decoder: msgspec.json.Decoder[Record], line: bytes, number: int) -> Record:
        try:
            if is_too_deep(line):
                raise RecursionError  # noqa: TRY301  what Python would say of deeper ones
            return decoder.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InputFileError(
                f"{self.path}, line {number}: expected a JSON object, found: {json_fault(error, line)}"
            ) from error


def read_records(path: Path, *columns: str) -> list[Record]:
    """All rows of a file, which has these columns. Raises InputFileError."""
    records = [record for chunk in InputFile(path).records() for record in chunk]
    require_columns(path, records, *columns)
    return records


def _text_encoding(name: str) -> str:
    """Python's own name of an encoding; UTF-8 with or without its mark. Raises InputFileError."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name)  # knows which codecs are of text
        known = codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        raise InputFileError(
            f"--encoding: expected an encoding of text that Python knows, such as cp1251, found {name!r}"
        ) from error
    return "utf-8-sig" if known == "utf-8" else known


def _one_character(delimiter: str) -> str:
    mark = "\t" if delimiter == "\\t" else delimiter
    if len(mark) != 1 or mark in '"\r\n':
        raise InputFileError(
            f"--delimiter: expected one character that is neither a quote nor a line end, found {delimiter!r}"
        )
    return mark
