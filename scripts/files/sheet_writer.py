"""Writing a sheet of an Excel workbook: ids stay texts, no cell is a formula or a link."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from xlsxwriter import Workbook
from xlsxwriter.exceptions import XlsxWriterException
from xlsxwriter.worksheet import Worksheet

from scripts.files.csv_writer import Write, encode
from scripts.files.record import EXACT, Record
from shared.errors import InputFileError

MOST_ROWS: Final = 1_048_576
LONGEST_CELL: Final = 32_767
WIDE: Final = 60
NARROW: Final = 14
"""Widths of columns, in characters."""


@contextmanager
def opened_sheet(
    path: Path,
    names: Sequence[str],
    title: str,
    answers: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    texts: Sequence[str] = ("text",),
) -> Iterator[Write]:
    """A function that appends rows to a new workbook of one sheet. Raises InputFileError for what no sheet can hold.

    `answers` are, by column, the values that may stand there, each with what it means: they get a sheet of their own,
    and the column a list to choose from. Columns with `texts` are wide, with as many lines as these need. The names of
    columns stay in sight, and rows can be filtered by each.
    """
    book = Workbook(path, {"constant_memory": True, "remove_timezone": True})
    sheet = book.add_worksheet(title)
    _lay_out(book, sheet, names, texts)
    written = 0

    def write(rows: list[Record]) -> None:
        nonlocal written
        for row in rows:
            written += 1
            for at, name in enumerate(names):
                _write(sheet, written, at, row.get(name))

    try:
        yield write
        sheet.autofilter(0, 0, written, len(names) - 1)
        for column, values in (answers or {}).items():
            _let_choose(book, sheet, names.index(column), written, values)
    finally:
        # Also where it is given up: what was written so far lies in temporary files.
        try:
            book.close()
        except XlsxWriterException as error:
            raise OSError(str(error)) from error


def _lay_out(book: Workbook, sheet: Worksheet, names: Sequence[str], texts: Sequence[str]) -> None:
    """Names in bold that stay in sight, and texts in lines."""
    sheet.set_column(0, len(names) - 1, NARROW)
    lines = book.add_format({"text_wrap": True, "valign": "top"})
    for at in (names.index(name) for name in texts if name in names):
        sheet.set_column(at, at, WIDE, lines)
    bold = book.add_format({"bold": True})
    for at, name in enumerate(names):
        _write(sheet, 0, at, name, bold)
    sheet.freeze_panes(1, 0)


def _let_choose(
    book: Workbook, sheet: Worksheet, at: int, rows: int, values: Sequence[tuple[str, str]]
) -> None:
    others = book.add_worksheet("answers")
    others.set_column(0, 1, WIDE)
    for number, value in enumerate(values):
        for place, text in enumerate(value):
            _write(others, number, place, text)
    choice = {"validate": "list", "source": f"=answers!$A$1:$A${len(values)}"}
    sheet.data_validation(1, at, max(1, rows), at, choice)


def _write(sheet: Worksheet, row: int, at: int, value: Any, *form: object) -> None:
    if value is None or value != value:
        return
    if row >= MOST_ROWS:
        raise InputFileError(
            f"a sheet holds {MOST_ROWS:,} rows, found more; choose an output name that ends in .csv"
        )
    if isinstance(value, bool):
        sheet.write_boolean(row, at, value, *form)
    elif isinstance(value, (int, float)) and abs(value) < EXACT:
        sheet.write_number(row, at, value, *form)
    else:
        text = _text(value)
        if len(text) > LONGEST_CELL:
            raise InputFileError(
                f"a cell of a sheet holds {LONGEST_CELL:,} characters, found {len(text):,} in row {row}; choose an "
                "output name that ends in .csv"
            )
        sheet.write_string(row, at, text, *form)


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple, dict)):
        return encode(value).decode()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)
