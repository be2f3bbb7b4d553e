"""Rows that are copied in binary arrive as the values that they were made of."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.reviews.review import Review
from shared.store import Database
from shared.store.postgres import copying
from tests.support.stored import ask, take_reviews

MOMENT = datetime(2026, 11, 30, 12, 30, 15, 123457, tzinfo=UTC)
CELLS: dict[str, tuple[Any, ...]] = {
    "text": (copying.text_cell, 'Платье\t"с\\N"\nрукавами\r', "", None),
    "integer": (copying.integer_cell, -(2**31), 0, 2**31 - 1, None),
    "bigint": (copying.bigint_cell, -(2**63), 2**63 - 1),
    "real": (copying.real_cell, 0.5, -1.25, 0.0, None),
    "boolean": (copying.boolean_cell, True, False),
    "timestamptz": (copying.moment_cell, MOMENT, datetime(1, 1, 1, tzinfo=UTC), None),
    "uuid": (copying.uuid_cell, "d8a4f0c2-6b1e-4c7e-9a53-2f60b8a1c111", None),
    "real[]": (copying.reals_cell, [0.25, 0.75], []),
}


@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_is_read_as_what_it_was_made_of(database: Database, kind: str) -> None:
    made, *values = CELLS[kind]
    with database.transaction() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE cells (number integer, value {kind}) ON COMMIT DROP")
        rows = [copying.row(copying.integer_cell(number), made(value)) for number, value in enumerate(values)]
        copying.copy(cursor, "cells", "number, value", rows)
        cursor.execute("SELECT value FROM cells ORDER BY number")
        assert [value for (value,) in cursor.fetchall()] == values


def test_a_number_is_rounded_as_postgresql_rounds_it(database: Database) -> None:
    numbers = [0.1, 1 / 3, 0.8999999, 1e-30, 0.123456789012345]
    with database.transaction() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE cells (value real, same float8) ON COMMIT DROP")
        rows = [
            copying.columns(2) + copying.real_cell(number) + copying.cell(struct.pack("!d", number))
            for number in numbers
        ]
        copying.copy(cursor, "cells", "value, same", rows)
        cursor.execute("SELECT count(*) FROM cells WHERE value = same::real")
        assert cursor.fetchone() == (len(numbers),)


def test_a_review_is_stored_with_all_that_it_came_with(database: Database, taxonomy: int) -> None:
    meta = '{"rating":5,"words":["да","\\"нет\\""]}'
    one = Review("лавка", "№ 1\t", 'Платье\\n\t"село"\n', MOMENT, meta)
    take_reviews(database, taxonomy, one, Review("shop", "2", "Чайник"))
    assert ask(
        database,
        """
        SELECT source, external_id, text, text_sha = sha256(convert_to(text, 'UTF8')), created_at, meta::text,
            now() - received_at BETWEEN interval '0' AND interval '1 minute'
        FROM reviews ORDER BY source COLLATE "C" DESC
        """,
    ) == [
        (one.source, one.id, one.text, True, MOMENT, '{"words": ["да", "\\"нет\\""], "rating": 5}', True),
        ("shop", "2", "Чайник", True, None, None, True),
    ]
