"""Judges: which stage with which model gave a verdict, as a small number for the rows to hold."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg2.extensions import cursor as Cursor

from shared.store.postgres.fetched import first_value, returned

StageModel = tuple[str, str]
"""A stage, and what its model calls itself."""

_FIND = "SELECT id FROM judges WHERE stage = %s AND model = %s"


def numbers(cursor: Cursor, judges: Iterable[StageModel]) -> dict[StageModel, int]:
    """The number of each judge; one that nobody knew gets its own."""
    return {judge: find(cursor, judge) or add(cursor, judge) for judge in sorted({*judges})}


def find(cursor: Cursor, judge: StageModel) -> int | None:
    """The number of a judge, None where nobody knows it."""
    cursor.execute(_FIND, judge)
    return first_value(cursor, int)


def add(cursor: Cursor, judge: StageModel) -> int:
    """Its number, from the end of the transaction on. Waits for another process that is adding the same one.

    Rows will hold the number: the transaction lasts now, whatever it was begun as.
    """
    cursor.execute("SET LOCAL synchronous_commit TO DEFAULT")
    cursor.execute("INSERT INTO judges (stage, model) VALUES (%s, %s) ON CONFLICT DO NOTHING", judge)
    cursor.execute(_FIND, judge)
    return returned(cursor)
