"""What a statement has found: rows as structs, or the values of its first column."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from psycopg2.extensions import cursor as Cursor

StructT = TypeVar("StructT", bound=msgspec.Struct)
ValueT = TypeVar("ValueT")


def all_of(cursor: Cursor, kind: type[StructT]) -> list[StructT]:
    """Every row, whose columns are in the order of the fields and of their types."""
    return [kind(*row) for row in cursor.fetchall()]


def first_of(cursor: Cursor, kind: type[StructT]) -> StructT | None:
    """The first row, or None."""
    row = cursor.fetchone()
    return None if row is None else kind(*row)


def converted(cursor: Cursor, kind: type[StructT]) -> list[StructT]:
    """Every row, with JSON in its columns made into what the fields say."""
    fields = kind.__struct_fields__
    return [msgspec.convert(dict(zip(fields, row, strict=True)), kind) for row in cursor.fetchall()]


def first_column(cursor: Cursor) -> list[Any]:
    """The first value of every row."""
    return [row[0] for row in cursor.fetchall()]


def first_value(cursor: Cursor, _kind: type[ValueT]) -> ValueT | None:
    """The first value of the first row, of the type that the statement gives; None where there is no row."""
    row = cursor.fetchone()
    return None if row is None else row[0]


def returned(cursor: Cursor) -> int:
    """The number of the one row that an INSERT has made, or found, and returned."""
    return int(cursor.fetchall()[0][0])
