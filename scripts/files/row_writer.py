"""Writing rows to a CSV, JSON lines, Excel or Parquet file, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.files import whole_file
from scripts.files.csv_writer import Write, encode, opened_csv
from scripts.files.parquet_rows import parquet_schema
from scripts.files.record import Record
from scripts.files.review_rows import ReviewRows
from scripts.files.sheet_writer import opened_sheet
from scripts.files.whole_file import OutFile
from shared.errors import InputFileError

REJECTED = "rejected"
"""The status of a row that broke the wire contract."""

WriteBeside = Callable[[list[Record], Iterable[Record]], None]
"""Takes rows of the input, and for each what stands in the added columns."""


@contextmanager
def beside(out: OutFile, rows: ReviewRows, added: Mapping[str, type]) -> Iterator[WriteBeside]:
    """A function that appends to a file of the input's rows with added columns; it is whole once the context ends."""
    names = column_names(rows, added)
    columns = fields(rows, {names[column]: kind for column, kind in added.items()})
    suffix = out.path.suffix.lower()
    with (
        whole_file.whole(out.path) as unfinished,
        opened(unfinished, suffix, columns, rows.columns.text, semicolons=out.semicolons) as write,
    ):

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
        # Ids that were stored as floating point have become integers.
        given = [
            field.with_type(_arrow_type(rows.kinds.get(field.name, set())))
            if field.name == rows.columns.id and pa.types.is_floating(field.type)
            else field
            for field in parquet_schema(rows.file.path)
        ]
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
def opened(
    path: Path, suffix: str, columns: pa.Schema, texts: Sequence[str] = ("text",), *, semicolons: bool = False
) -> Iterator[Write]:
    """A function that appends rows to a new file, whose columns `texts` are for reading; it is whole once the context
    ends.
    """
    if suffix == ".parquet":
        with pq.ParquetWriter(path, columns) as writer:
            yield lambda rows: writer.write_table(_table(rows, columns))
    elif suffix == ".jsonl":
        with path.open("w", encoding="utf-8") as handle:
            yield lambda rows: handle.writelines(encode(row).decode() + "\n" for row in rows)
    elif suffix == ".xlsx":
        with opened_sheet(path, columns.names, "reviews", texts=texts) as write:
            yield write
    else:
        with opened_csv(path, columns.names, semicolons=semicolons) as write:
            yield write


def _table(rows: list[Record], columns: pa.Schema) -> pa.Table:
    arrays = []
    for field in columns:
        values = [row.get(field.name) for row in rows]
        if pa.types.is_string(field.type):
            values = [
                value if value is None or isinstance(value, str) else encode(value).decode()
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
