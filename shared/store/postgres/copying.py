"""New rows by COPY, which costs PostgreSQL half as much as an INSERT, but can do nothing where a key is taken.

Rows are in COPY's binary format ("File Formats" on the page of COPY in PostgreSQL's manual): nothing has to be escaped
on our side, nor parsed on the server's. A cell is its length in four bytes, then its value in network order.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Final
from uuid import UUID

import msgspec
from psycopg2.errors import UniqueViolation
from psycopg2.extensions import cursor as Cursor

NULL: Final = b"\xff\xff\xff\xff"
"""The cell that has no value."""
_START: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = b"\xff\xff"
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_WHOLE: Final = 2**20

encode_json: Final = msgspec.json.Encoder().encode
number_cell: Final = struct.Struct("!i").pack
"""The bytes before a row, or those before the bytes of a cell: how many there are."""
_integer, _bigint, _real = struct.Struct("!ii").pack, struct.Struct("!iq").pack, struct.Struct("!if").pack
_columns: Final = struct.Struct("!h").pack


def row(*cells: bytes) -> bytes:
    """A row of cells."""
    return _columns(len(cells)) + b"".join(cells)


def columns(count: int) -> bytes:
    """What stands before so many cells of a row."""
    return _columns(count)


def cell(value: bytes) -> bytes:
    """Bytes as they are: of a text in UTF-8, a `bytea`, `json`."""
    return number_cell(len(value)) + value


def text_cell(text: str | None) -> bytes:
    """A text."""
    return NULL if text is None else cell(text.encode())


def integer_cell(value: int | None) -> bytes:
    """A number of a column `integer`."""
    return NULL if value is None else _integer(4, value)


def bigint_cell(value: int) -> bytes:
    """A number of a column `bigint`."""
    return _bigint(8, value)


def real_cell(value: float | None) -> bytes:
    """A number of a column `real`: the nearest that it can hold."""
    return NULL if value is None else _real(4, value)


def boolean_cell(value: bool) -> bytes:
    """Yes or no."""
    return cell(b"\1" if value else b"\0")


def moment_cell(moment: datetime | None) -> bytes:
    """A moment with its zone, of a column `timestamptz`: microseconds since the year 2000."""
    return NULL if moment is None else _bigint(8, (moment - _EPOCH) // _MICROSECOND)


def uuid_cell(value: str | None) -> bytes:
    """A UUID, as text."""
    return NULL if value is None else cell(UUID(value).bytes)


def jsonb_cell(text: str | None) -> bytes:
    """JSON of a column `jsonb`, whose form has a version."""
    return NULL if text is None else cell(b"\1" + text.encode())


def reals_cell(values: Sequence[float]) -> bytes:
    """Numbers of a column `real[]`."""
    if not values:
        return cell(_EMPTY_REALS)
    head = struct.pack("!iiIii", 1, 0, _REAL, len(values), 1)
    return cell(head + b"".join(map(real_cell, values)))


_REAL: Final = 700
"""The number of the type `real` among PostgreSQL's own."""
_EMPTY_REALS: Final = struct.pack("!iiI", 0, 0, _REAL)


def copy(cursor: Cursor, table: str, columns: str, rows: Sequence[bytes]) -> None:
    """Add rows to a table, their cells in the order of the columns."""
    whole = b"".join((_START, *rows, _END))
    cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN (FORMAT binary)", BytesIO(whole), _WHOLE)


def copied(cursor: Cursor, table: str, columns: str, rows: Sequence[bytes]) -> bool:
    """The same, or nothing where the key of a row is taken: then False. The transaction goes on in either case."""
    if not rows:
        return True
    cursor.execute("SAVEPOINT copied")
    try:
        copy(cursor, table, columns, rows)
    except UniqueViolation:
        cursor.execute("ROLLBACK TO SAVEPOINT copied")
        return False
    cursor.execute("RELEASE SAVEPOINT copied")
    return True
