"""The rows of a sheet in a workbook of Excel or OpenDocument, with calamine, which needs neither program."""

from __future__ import annotations

import re
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import time, timedelta
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import unescape
from zipfile import BadZipFile, ZipFile

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetVisibleEnum

from scripts.command.console import remark
from scripts.files.record import CHUNK_ROWS, Chunk, column_names, whole_number
from scripts.language.language import counted, translated
from shared.errors import InputFileError

_BLOCK: Final = 1 << 20
_CELL: Final = rb'<c r="([A-Z]+[0-9]+)"'
# A value that is text may be empty; Excel writes none for no other.
_UNCOMPUTED: Final = re.compile(
    _CELL + rb'(?![^>]* t="str")[^>]*><f(?:[^>]*/>|[^>]*>[^<]*</f>)(?:<v ?/>|<v></v>)?</c>'
)
_ERROR: Final = re.compile(_CELL + rb'[^>]* t="e"')
_SHEET: Final = re.compile(r'<(?:\w+:)?sheet [^>]*name="([^"]*)"[^>]* r:id="([^"]*)"')
_RELATION: Final = re.compile(r"<Relationship [^>]*>")
_ID: Final = re.compile(r' Id="([^"]*)"')
_TARGET: Final = re.compile(r' Target="([^"]*)"')


class SheetRows:
    """One sheet: the one that is named, else the first visible one with names of columns and a row below them.

    A sheet that is a title alone has none. `elsewhere` is what a refusal may add: the other sheets, and how to name
    one. Raises InputFileError.
    """

    def __init__(self, path: Path, sheet: str | None, header: int | None) -> None:
        self._path, self._header = path, header
        try:
            book = CalamineWorkbook.from_path(path)
            self._sheet = self._chosen(book, sheet)
        except PasswordError as error:
            raise InputFileError(
                f"{path}: expected a workbook that can be read, found one with a password; save it without"
            ) from error
        except (CalamineError, OSError) as error:
            raise InputFileError(
                f"{path}: expected a workbook of Excel or OpenDocument, found: {error}; save it anew, or give a text "
                "file a name that ends in .csv"
            ) from error
        others = ", ".join(f"'{name}'" for name in book.sheet_names if name != self._sheet.name)
        self.name = translated("sheet {name}", name=f"'{self._sheet.name}'")
        self.name += translated(", not {names}", names=others) if others else ""
        self.elsewhere = (
            f", or name with --sheet another than '{self._sheet.name}': {others}" if others else ""
        )

    def _chosen(self, book: CalamineWorkbook, name: str | None) -> CalamineSheet:
        if name is not None:
            if name not in book.sheet_names:
                there = ", ".join(map(repr, book.sheet_names))
                raise InputFileError(
                    f"{self._path}: expected a sheet {name!r}, found {there}; name one with --sheet"
                )
            return book.get_sheet_by_name(name)
        visible = [one.name for one in book.sheets_metadata if one.visible == SheetVisibleEnum.Visible]
        sheets = [book.get_sheet_by_name(one) for one in visible or book.sheet_names]
        tables = (sheet for sheet in sheets if self._is_table(sheet))
        return next(tables, None) or next((sheet for sheet in sheets if sheet.height), sheets[0])

    def _is_table(self, sheet: CalamineSheet) -> bool:
        """Whether a row stands below the one with the columns' names, wherever that is."""
        held = (number for number, row in enumerate(sheet.iter_rows(), 1) if any(map(_holds, row)))
        header = self._header or next(held, None)
        return any(number > header for number in held) if header else False

    def chunks(self, *, tell: bool = True) -> Iterator[tuple[float, Chunk]]:
        """The rows in chunks of up to 10,000, each with how much of the sheet has been read. Empty ones go.

        What stands in merged cells stands in each of their rows, as people see it. That is said, with
        `tell`.
        """
        UnreadCells(self._path, self._sheet.name).check(self._path, tell=tell)
        merged = MergedCells(self._sheet)
        rows = merged.filled(self._sheet.iter_rows())
        for number, row in rows:
            if number == self._header or (self._header is None and any(map(_holds, row))):
                break
        else:
            raise InputFileError(
                f"{self._path}: expected a row with the columns' names, found none; name another with --header"
                f"{self.elsewhere}"
            )
        merged.refuse_header(self._path, number, self.elsewhere)
        used = self._used(number, row)
        names = column_names(self._path, [str(whole_number(row[at])).strip() for at in used])
        if tell and (below := merged.below(number)):
            told = counted(
                "{number} merged cell: what stands in it counts for each of its rows",
                "{number} merged cells: what stands in one counts for each of its rows",
                below,
            )
            remark(translated("note"), told)
        chunk = Chunk()
        for number, row in rows:
            values = [_plain(row[at]) for at in used]
            if any(value is not None for value in values):
                chunk.add(number, dict(zip(names, values, strict=True)))
            if len(chunk) == CHUNK_ROWS:
                yield number / self._sheet.total_height, chunk
                chunk = Chunk()
        yield 1.0, chunk

    def _used(self, header: int, names: list[Any]) -> list[int]:
        """The columns that have a name or hold anything below it."""
        used = {at for at, name in enumerate(names) if _holds(name)}
        if len(used) < len(names):
            for number, row in enumerate(self._sheet.iter_rows(), 1):
                used |= {at for at, value in enumerate(row) if number > header and _holds(value)}
        return sorted(used)


class MergedCells:
    """The merged cells of a sheet: of each, its first and last row, from 1, and its first and last column."""

    def __init__(self, sheet: CalamineSheet) -> None:
        left = (sheet.start or (0, 0))[1]
        self._all = sorted(
            (top + 1, bottom + 1, first - left, last - left)
            for (top, first), (bottom, last) in sheet.merged_cell_ranges or ()
        )

    def filled(self, rows: Iterable[list[Any]]) -> Iterator[tuple[int, list[Any]]]:
        """The rows with their numbers; a merged cell's value stands in its first column in each of its rows."""
        begin, held = deque(self._all), dict[int, tuple[int, Any]]()
        for number, row in enumerate(rows, 1):
            while begin and begin[0][0] == number:
                _, bottom, first, _ = begin.popleft()
                if bottom > number:
                    held[first] = (bottom, row[first])
            for at, (bottom, value) in [*held.items()]:
                row[at] = value
                if bottom == number:
                    del held[at]
            yield number, row

    def below(self, header: int) -> int:
        """How many of several rows begin below the header."""
        return sum(top > header and bottom > top for top, bottom, _, _ in self._all)

    def refuse_header(self, path: Path, header: int, elsewhere: str) -> None:
        """Raises InputFileError where the header has a cell of several columns, or one that goes on below it."""
        for top, bottom, first, last in self._all:
            if top <= header <= bottom and (last > first or bottom > header):
                raise InputFileError(
                    f"{path}, row {header}: expected one name for each column, found a merged cell; name with --header "
                    f"the row in which each column has a name of its own, or take the cells apart{elsewhere}"
                )


class UnreadCells:
    """Cells of an .xlsx that calamine gives as empty: formulas without a value, and errors such as #N/A.

    A program that is no spreadsheet writes formulas without computing them. `formula` and `error` are the names of the
    first such cells, or None; of other kinds of workbooks they are not known.
    """

    def __init__(self, path: Path, sheet: str) -> None:
        self.formula: str | None = None
        self.error: str | None = None
        self.errors = 0
        with (
            suppress(BadZipFile, KeyError, OSError, EOFError, RuntimeError, zlib.error),
            ZipFile(path) as book,
            book.open(sheet_part(book, sheet)) as part,
        ):
            rest = b""
            while block := part.read(_BLOCK):
                whole, _, rest = (rest + block).rpartition(b"</c>")
                self._look(whole + b"</c>")
                rest = rest[-_BLOCK:]

    def check(self, path: Path, *, tell: bool) -> None:
        """Raises InputFileError where a formula has no value; says how many cells hold errors."""
        if self.formula is not None:
            raise InputFileError(
                f"{path}, cell {self.formula}: expected a value, found a formula that nobody has computed; open the "
                "workbook in Excel or LibreOffice, save it and try again"
            )
        if tell and self.errors:
            told = counted(
                "{number} cell with an error, such as #N/A, in {cell} counts as empty",
                "{number} cells with errors, such as #N/A, count as empty; the first is {cell}",
                self.errors,
                cell=self.error,
            )
            remark(translated("note"), told)

    def _look(self, cells: bytes) -> None:
        if self.formula is None and b"<f" in cells and (found := _UNCOMPUTED.search(cells)):
            self.formula = found[1].decode()
        for found in _ERROR.finditer(cells) if b't="e"' in cells else ():
            self.error = self.error or found[1].decode()
            self.errors += 1


def sheet_part(book: ZipFile, name: str) -> str:
    """The file of a sheet in an .xlsx. Raises KeyError where it has none."""
    sheets = {
        unescape(found[1]): found[2]
        for found in _SHEET.finditer(book.read("xl/workbook.xml").decode(errors="replace"))
    }
    parts: dict[str, str] = {}
    for one in _RELATION.findall(book.read("xl/_rels/workbook.xml.rels").decode(errors="replace")):
        if (number := _ID.search(one)) is not None and (target := _TARGET.search(one)) is not None:
            parts[number[1]] = target[1]
    part = parts[sheets[name]]
    return part.removeprefix("/") if part.startswith("/") else f"xl/{part}"


def _holds(value: Any) -> bool:
    return not isinstance(value, str) or bool(value.strip())


def _plain(value: Any) -> Any:
    """What JSON could hold too, or a date: workbooks know no integers, and no difference of absent and empty."""
    if isinstance(value, (time, timedelta)):
        return str(value)
    return whole_number(value) if _holds(value) else None
