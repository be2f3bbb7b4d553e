"""Files of reviews: CSV, JSON, workbooks or Parquet, read in chunks as plain rows.

Lives here: which formats there are, and what can be wrong with a file. Not here: what the columns mean (`review_rows`).
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from scripts.command.console import left_out, remark
from scripts.command.escaping import storable
from scripts.files.csv_rows import CsvRows, Quotes, csv_format, one_character, opened_text
from scripts.files.json_rows import json_rows
from scripts.files.record import Chunk, repeated_headers, repeats_header
from scripts.files.text_encoding import encoding_of, first_bad_line, python_name
from scripts.language.language import counted, translated
from shared.errors import InputFileError

FORMATS: Final = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), ".csv"),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), ".jsonl"),
    ".parquet": ".parquet",
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), ".xlsx"),
}
"""What a name ends in, and what there is to read then."""

_GZIP = b"\x1f\x8b"
_NOT_TEXT = {
    b"PK\x03\x04": "a workbook or a ZIP archive; give a workbook a name that ends in .xlsx or .ods, unpack an archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; give it a name that ends in .xls",
    b"PAR1": "a Parquet file; give it a name that ends in .parquet",
}


def delimiter_title(delimiter: str) -> str:
    """What people are told of it."""
    known = {",": translated("commas"), ";": translated("semicolons"), "\t": translated("tabs")}
    return known.get(delimiter, repr(delimiter))


def tell_repeated(rows: Chunk) -> None:
    """Say how many rows repeat the header."""
    left_out(
        "{number} row that repeats the header, in line {line}",
        "{number} rows that repeat the header, the first in line {line}",
        len(rows),
        line=rows.numbers[0],
    )


class InputFile:
    """A file of reviews. `records()` yields chunks of plain dicts, column name to value, in file order.

    What is not named, the encoding of a text and the delimiter of a CSV, is found, and told once. Raises InputFileError
    for a file that is missing, empty, unreadable, in another encoding or malformed, and for one that changes between
    two readings.
    """

    def __init__(
        self,
        path: Path,
        *,
        encoding: str | None = None,
        delimiter: str | None = None,
        quotes: Quotes = "auto",
        header: int | None = None,
        sheet: str | None = None,
    ) -> None:
        self.path = path
        self._encoding = None if encoding is None else python_name(encoding)
        self._delimiter = None if delimiter is None else one_character(delimiter)
        self._quotes, self._header, self._sheet = quotes, header, sheet
        self._raw: BinaryIO | None = None
        self._done = 0.0
        self._told = False
        self.elsewhere = ""
        """What a refusal of a sheet may add: the other sheets of its workbook, once it has been opened."""
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
        """The file's format by its name: `.csv`, `.jsonl`, `.parquet` or `.xlsx`, compressed or not."""
        suffix = Path(self.path.name.lower().removesuffix(".gz")).suffix
        if suffix not in FORMATS:
            raise InputFileError(
                f"{self.path}: expected a name that ends in {', '.join(FORMATS)} (CSV and JSON also with .gz)"
            )
        return FORMATS[suffix]

    @property
    def fraction_read(self) -> float:
        """How much of the file has been read, 0..1."""
        if self._raw is not None and not self._raw.closed:
            self._done = self._raw.tell() / self._state[0]
        return min(1.0, self._done)

    def records(self) -> Iterator[Chunk]:
        """The rows, in chunks of up to 10,000, none of them empty."""
        readers = {
            ".csv": self._csv,
            ".jsonl": self._json,
            ".parquet": self._parquet,
            ".xlsx": self._workbook,
        }
        reader = readers[self.format]
        if self._look() != self._state:
            raise InputFileError(f"{self.path}: expected the file as it was, found it changed; start again")
        empty, repeated, told = True, Chunk(), self._told
        try:
            for chunk in reader():
                repeated += (again := repeated_headers(chunk))
                repeated.numbers += again.numbers
                kept = chunk.where(lambda row: not repeats_header(row)) if again else chunk
                # Whoever asks for the first rows hears at once that there are none.
                if kept:
                    empty = False
                    yield kept
        except UnicodeError as error:
            raise self._wrong_encoding(str(getattr(error, "encoding", ""))) from error
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputFileError(
                f"{self.path}: expected a whole gzip file, found a damaged or cut one ({error}); copy it again"
            ) from error
        except OSError as error:
            raise InputFileError(
                f"{self.path}: expected a readable file, found: {error.strerror or error}"
            ) from error
        if repeated and not told:
            tell_repeated(repeated)
        if empty:
            raise InputFileError(
                f"{self.path}: expected at least one review, found a header and no rows{self.elsewhere}"
            )

    def _open(self) -> io.BufferedIOBase:
        """The file's bytes, unpacked; a gzip file is known by its first bytes, not by its name."""
        raw = self.path.open("rb")
        self._raw = raw
        head = raw.peek(4)[:4]
        if head in _NOT_TEXT:
            raw.close()
            raise InputFileError(f"{self.path}: expected a text file, found {_NOT_TEXT[head]}")
        return gzip.GzipFile(fileobj=raw) if head.startswith(_GZIP) else raw

    def _csv(self) -> Iterator[Chunk]:
        encoding = encoding_of(self.path, self._open, self._encoding)
        with opened_text(self._open, encoding) as text:
            found = csv_format(text, self._delimiter, self._quotes, self._header)
        how = {"encoding": encoding.removesuffix("-sig"), "delimiters": delimiter_title(found.delimiter)}
        first = self._tell(translated("CSV in {encoding}, {delimiters} between columns", **how))
        with opened_text(self._open, encoding) as text:
            rows = CsvRows(self.path, text, found)
            yield from rows.chunks()
        if first and rows.several:
            line, count = rows.several
            told = counted(
                "{number} row goes over several lines in quotes, from line {line} on; if each line is a row, add "
                "--quotes none",
                "{number} rows go over several lines in quotes, the first from line {line} on; if each line is a row, "
                "add --quotes none",
                count,
                line=line,
            )
            remark(translated("note"), told)
        if first and rows.short:
            line, count = rows.short
            told = counted(
                "{number} row has fewer columns than the header, in line {line}: empty cells",
                "{number} rows have fewer columns than the header, the first in line {line}: empty cells",
                count,
                line=line,
            )
            remark(translated("note"), told)

    def _json(self) -> Iterator[Chunk]:
        encoding = encoding_of(self.path, self._open, self._encoding)
        self._tell(translated("JSON in {encoding}", encoding=encoding.removesuffix("-sig")))
        with opened_text(self._open, encoding) as text:
            yield from json_rows(self.path, text)

    def _parquet(self) -> Iterator[Chunk]:
        # pyarrow takes longer to load than most commands that read another file.
        from scripts.files.parquet_rows import parquet_rows

        for done, records in parquet_rows(self.path):
            self._done = done
            yield records

    def _workbook(self) -> Iterator[Chunk]:
        from scripts.files.sheet_rows import SheetRows

        rows = SheetRows(self.path, self._sheet, self._header)
        self.elsewhere = rows.elsewhere
        first = self._tell(rows.name)
        for done, records in rows.chunks(tell=first):
            self._done = done
            yield records

    def _tell(self, how: str) -> bool:
        """Say once how the file is read; whether that is now."""
        first, self._told = not self._told, True
        if first:
            remark(translated("reading"), f"{self.name}: {how}")
        return first

    def _wrong_encoding(self, encoding: str) -> InputFileError:
        remedy = (
            "leave out --encoding, or name another"
            if self._encoding
            else "mend that line, or name --encoding"
        )
        where = f"{self.path}{first_bad_line(self._open, encoding)}"
        return InputFileError(f"{where}: expected text in {encoding}, found bytes that are not; {remedy}")
