"""The rows of a Parquet file, and the types of its columns, with pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.files.record import CHUNK_ROWS, Chunk, column_names
from shared.errors import InputFileError


def parquet_rows(path: Path) -> Iterator[tuple[float, Chunk]]:
    """The rows in chunks of up to 10,000, each with how much of the file has been read after it, 0..1."""
    try:
        with pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
            column_names(path, file.schema_arrow.names)
            rows, done = max(1, file.metadata.num_rows), 0
            for batch in file.iter_batches(batch_size=CHUNK_ROWS):
                found = pa.table(batch).cast(_python_schema(batch.schema), safe=False).to_pylist()
                numbers = range(done + 1, done + 1 + len(found))
                done += len(found)
                yield done / rows, Chunk(found, numbers)
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"{path}: expected texts in UTF-8, as Parquet prescribes, found other bytes; write it anew"
        ) from error
    except pa.ArrowException as error:
        raise InputFileError(f"{path}: expected a Parquet file, found: {error}") from error


def parquet_schema(path: Path) -> pa.Schema:
    """Names and types of a Parquet file's columns, as its rows are given."""
    return _python_schema(pq.read_schema(path))


def _python_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with times in microseconds: Python's own know no nanoseconds."""

    def without_nanoseconds(kind: pa.DataType) -> pa.DataType:
        if pa.types.is_timestamp(kind):
            return pa.timestamp("us", kind.tz)
        return pa.duration("us") if pa.types.is_duration(kind) else kind

    return pa.schema([field.with_type(without_nanoseconds(field.type)) for field in schema])
