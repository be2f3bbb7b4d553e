"""The rows of a JSON file: one object in each line, or one array of objects."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from scripts.files.record import CHUNK_ROWS, Chunk, Record
from shared.errors import InputFileError
from shared.reviews.wire import json_fault
from shared.text.nesting import is_too_deep

_object: Final = msgspec.json.Decoder(dict[str, Any])
_array: Final = msgspec.json.Decoder(list[msgspec.Raw])
_BYTE: Final = re.compile(r"\(byte ([0-9]+)\)")

NEWLINE: Final = b"\n"
ONE_A_LINE: Final = "; write one object in each line, or all of them into one array"


def json_rows(path: Path, text: io.TextIOBase) -> Iterator[Chunk]:
    """The rows in chunks of up to 10,000; an array is held in memory. Raises InputFileError, naming line or object."""
    lines = ((number, line) for number, line in enumerate(text, 1) if line.strip())
    first = next(lines, (0, ""))
    numbered = itertools.chain((first,), lines)
    if first[1].lstrip().startswith("["):
        begins = first[0]
        rest = "".join(itertools.chain((first[1],), text))
        rows = _in_array(path, begins, rest.encode())
    else:
        rows = (
            (number, _row(f"{path}, line {number}", line.encode(), ONE_A_LINE))
            for number, line in numbered
            if line
        )
    left = iter(rows)
    while some := list(itertools.islice(left, CHUNK_ROWS)):
        yield Chunk((row for _, row in some), (number for number, _ in some))


def _in_array(path: Path, begins: int, data: bytes) -> Iterator[tuple[int, Record]]:
    try:
        if is_too_deep(data):
            raise RecursionError  # noqa: TRY301  what Python would say of deeper ones
        parts = _array.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputFileError(
            f"{path}{_line(begins, data, error)}: expected a JSON array of objects, found: {json_fault(error, data)}; "
            "mend it there, or export the file anew"
        ) from error
    return ((number, _row(f"{path}, object {number}", bytes(part))) for number, part in enumerate(parts, 1))


def _line(begins: int, data: bytes, error: Exception) -> str:
    """The line in which the decoder has found a fault, if it says where, for people."""
    place = _BYTE.search(str(error))
    if place is None and "truncated" not in str(error):
        return ""
    return f", line {begins + data.rstrip().count(NEWLINE, 0, int(place[1]) if place else None)}"


def _row(where: str, data: bytes, remedy: str = "") -> Record:
    try:
        if is_too_deep(data):
            raise RecursionError  # noqa: TRY301  what Python would say of deeper ones
        row = _object.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputFileError(
            f"{where}: expected a JSON object, found: {json_fault(error, data)}{remedy}"
        ) from error
    if any(data.count(f'"{name}"'.encode()) > 1 for name in row):
        refuse_twice(where, data)
    return row


def refuse_twice(where: str, data: bytes) -> None:
    """Raises InputFileError where an object has a name twice: of two values, one would be left out without a word."""

    def different(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise InputFileError(
                f"{where}: expected fields with different names, found {twice!r} twice; rename one, or export "
                "the file anew"
            )
        return dict(pairs)

    json.loads(data, object_pairs_hook=different)
