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
    return {judge: _number(cursor, judge) for judge in sorted({*judges})}


def _number(cursor: Cursor, judge: StageModel) -> int:
    cursor.execute(_FIND, judge)
    found = first_value(cursor, int)
    if found is not None:
        return found
    # Waits for another process that is adding the same one, and then sees it.
    cursor.execute("INSERT INTO judges (stage, model) VALUES (%s, %s) ON CONFLICT DO NOTHING", judge)
    cursor.execute(_FIND, judge)
    return returned(cursor)
