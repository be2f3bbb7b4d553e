"""Writing rows to a CSV, JSON lines or Parquet file, chunk by chunk. No cell of a CSV is a formula."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.files import whole_file
from scripts.files.formulas import escaped
from scripts.files.parquet_rows import parquet_schema
from scripts.files.record import Record
from scripts.files.review_rows import ReviewRows
from shared.errors import InputFileError

REJECTED = "rejected"
"""The status of a row that broke the wire contract."""

Write = Callable[[list[Record]], None]
WriteBeside = Callable[[list[Record], Iterable[Record]], None]
"""Takes rows of the input, and for each what stands in the added columns."""

_encode = msgspec.json.Encoder(enc_hook=str).encode


@contextmanager
def beside(path: Path, rows: ReviewRows, added: Mapping[str, type]) -> Iterator[WriteBeside]:
    """A function that appends to a file of the input's rows with added columns; it is whole once the context ends."""
    names = column_names(rows, added)
    columns = fields(rows, {names[column]: kind for column, kind in added.items()})
    with whole_file.whole(path) as unfinished, opened(unfinished, path.suffix.lower(), columns) as write:

        def write_beside(records: list[Record], cells: Iterable[Record]) -> None:
            named = ({names[column]: value for column, value in one.items()} for one in cells)
            write([{**record, **one} for record, one in zip(records, named, strict=True)])

        yield write_beside


def fields(rows: ReviewRows, added: Mapping[str, type]) -> pa.Schema:
    """The columns of the input, once it has been read through, and the added ones.

    A Parquet file keeps its types. Of another file, a column that holds only texts, numbers or truth values
    has that type; what is mixed or nested becomes JSON text.
    """
    if rows.file.format == ".parquet":
        given = list(parquet_schema(rows.file.path))
    else:
        given = [pa.field(name, _arrow_type(kinds)) for name, kinds in rows.kinds.items()]
    return pa.schema([*given, *(pa.field(name, _arrow_type({kind})) for name, kind in added.items())])


def column_names(rows: ReviewRows, columns: Iterable[str]) -> dict[str, str]:
    """The name that each of our columns gets; one that the input has already gets `otzyv_` before it."""
    names = {}
    for column in columns:
        name = column
        while name in rows.kinds:
            name = f"otzyv_{name}"
        names[column] = name
    return names


def _arrow_type(kinds: set[type]) -> pa.DataType:
    present = kinds - {type(None)}
    if present == {bool}:
        return pa.bool_()
    if present == {int}:
        return pa.int64()
    return pa.float64() if present and present <= {int, float} else pa.string()


@contextmanager
def opened(path: Path, suffix: str, columns: pa.Schema) -> Iterator[Write]:
    """A function that appends rows to a new file; the file is whole once the context ends."""
    if suffix == ".parquet":
        with pq.ParquetWriter(path, columns) as writer:
            yield lambda rows: writer.write_table(_table(rows, columns))
        return
    with path.open("w", encoding="utf-8", newline="") as handle:
        if suffix == ".jsonl":
            yield lambda rows: handle.writelines(_encode(row).decode() + "\n" for row in rows)
        else:
            yield _csv(handle, columns.names)


def _csv(handle: TextIO, names: list[str]) -> Write:
    plain = csv.writer(handle, lineterminator="\n")
    # Python before 3.13 leaves a lone carriage return unquoted, where readers take it for the end of the row.
    careful = csv.writer(handle, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def write(rows: list[list[Any]]) -> None:
        for row in rows:
            (careful if any(isinstance(cell, str) and "\r" in cell for cell in row) else plain).writerow(row)

    write([[escaped(name) for name in names]])
    return lambda rows: write([[_csv_cell(row.get(name)) for name in names] for row in rows])


def _csv_cell(value: Any) -> Any:
    if isinstance(value, str):
        return escaped(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if value == value else None
    if isinstance(value, (list, tuple, dict)):
        return escaped(_encode(value).decode())
    return escaped(value.decode(errors="replace") if isinstance(value, bytes) else str(value))


def _table(rows: list[Record], columns: pa.Schema) -> pa.Table:
    arrays = []
    for field in columns:
        values = [row.get(field.name) for row in rows]
        if pa.types.is_string(field.type):
            values = [
                value if value is None or isinstance(value, str) else _encode(value).decode()
                for value in values
            ]
        try:
            arrays.append(pa.array(values, field.type))
        except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
            raise InputFileError(
                f"column {field.name!r}: expected values that fit Parquet's {field.type}, found others ({error}); "
                "choose an output name that ends in .jsonl"
            ) from error
    return pa.table(arrays, schema=columns)
