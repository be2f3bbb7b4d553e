"""The rows of a CSV file, with pandas. How the file is opened is known to `input_file`."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import cast

import pandas as pd

from scripts.files.formulas import are_ours, unescaped
from scripts.files.record import CHUNK_ROWS, Record, refuse_duplicates
from shared.errors import InputFileError


def csv_rows(
    path: Path, opened: Callable[[], io.BufferedIOBase], encoding: str, delimiter: str | None
) -> Iterator[list[Record]]:
    """The rows, in chunks of up to 10,000. Raises InputFileError for what is malformed."""
    delimiter = delimiter or _sniffed(opened, encoding)
    read = partial(pd.read_csv, sep=delimiter, dtype=str, keep_default_na=False, encoding=encoding)
    try:
        with opened() as handle:
            header = cast("pd.DataFrame", read(handle, header=None, nrows=1))
        refuse_duplicates(path, filter(None, map(str, header.iloc[0])))
        with opened() as handle:
            frames = read(handle, index_col=False, chunksize=CHUNK_ROWS)
            while (frame := _next_frame(frames)) is not None:
                yield _as_written(cast("list[Record]", frame.to_dict("records")))
    except pd.errors.EmptyDataError as error:
        raise InputFileError(f"{path}: expected a header line, found blank lines") from error
    except (pd.errors.ParserWarning, pd.errors.ParserError) as error:
        found = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        if isinstance(error, pd.errors.ParserWarning):
            found = "a first row with more columns than the header"
        raise InputFileError(
            f"{path}: expected CSV with {delimiter!r} between columns and quotes around text that holds it, "
            f"found: {found}; quote such texts or name another --delimiter"
        ) from error


def _sniffed(opened: Callable[[], io.BufferedIOBase], encoding: str) -> str:
    """The delimiter that occurs most in the header; a comma where none does."""
    with opened() as handle:
        header = handle.readline(1_000_000).decode(encoding, errors="replace")
    return max(",;\t", key=lambda mark: (header.count(mark), mark == ","))


def _next_frame(frames: Iterator[pd.DataFrame]) -> pd.DataFrame | None:
    """The next chunk, or None. A row longer than the header is an error here, where pandas would cut it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame = next(frames, None)
    return frame if frame is None else frame.fillna("")


def _as_written(records: list[Record]) -> list[Record]:
    """The rows of a file that we have written, with its texts as they were before."""
    if not records or not are_ours(records[0]):
        return records
    return [{unescaped(name): unescaped(value) for name, value in record.items()} for record in records]
