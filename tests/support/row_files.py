"""Files of rows in tests: written, read back, and filled in as people fill in a spreadsheet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """A CSV file with the columns of the first row."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        # Python before 3.13 leaves a lone carriage return unquoted.
        writer = csv.DictWriter(handle, rows[0], quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_rows(path: Path) -> list[Row]:
    """All rows of a CSV, JSON lines or Parquet file; a cell of a CSV file is text, and may hold a megabyte."""
    if path.suffix == ".parquet":
        import pyarrow.parquet  # which few tests need

        return list(pyarrow.parquet.read_table(path).to_pylist())
    with path.open(encoding="utf-8-sig", newline="") as handle:
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in handle]
        csv.field_size_limit(10_000_000)
        return list(csv.DictReader(handle, strict=True))


def fill_in(path: Path, answer: Callable[[Row], str]) -> None:
    """Write an answer into each row of a drawn table."""
    write_rows(path, [{**row, "answer": answer(row)} for row in read_rows(path)])
