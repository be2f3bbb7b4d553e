"""Writing a CSV file that Excel opens by a double click: with a byte order mark, and no cell of it a formula."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from scripts.files.formulas import escaped
from scripts.files.record import Record

Write = Callable[[list[Record]], None]

encode: Final = msgspec.json.Encoder(enc_hook=str).encode


@contextmanager
def opened_csv(path: Path, names: Sequence[str], *, semicolons: bool = False) -> Iterator[Write]:
    """A function that appends rows to a new file. With semicolons, fractions have a comma: so Excel in Russian reads
    them."""
    mark = ";" if semicolons else ","
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        plain = csv.writer(handle, delimiter=mark, lineterminator="\n")
        # Python before 3.13 leaves a lone carriage return unquoted, where readers take it for the end of the row.
        careful = csv.writer(handle, delimiter=mark, lineterminator="\n", quoting=csv.QUOTE_ALL)

        def write(rows: list[list[Any]]) -> None:
            for row in rows:
                (careful if any(isinstance(cell, str) and "\r" in cell for cell in row) else plain).writerow(
                    row
                )

        write([[escaped(name) for name in names]])
        yield lambda rows: write([[_cell(row.get(name), semicolons) for name in names] for row in rows])


def _cell(value: Any, semicolons: bool) -> Any:
    if isinstance(value, str):
        return escaped(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        told = value if value == value else None
        return str(told).replace(".", ",") if semicolons and told is not None else told
    if isinstance(value, (list, tuple, dict)):
        return escaped(encode(value).decode())
    return escaped(value.decode(errors="replace") if isinstance(value, bytes) else str(value))
