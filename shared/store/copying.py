"""Bulk loading: rows go into a temporary table by COPY, and from there by one statement where they belong."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from psycopg2.extensions import cursor as Cursor


def copy_rows(
    cursor: Cursor,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    nullable: Sequence[str] = (),
) -> None:
    """COPY `rows` into `table`. An empty string in a `nullable` column is NULL; None is an empty string.

    CSV with every string quoted: the C writer does the escaping, and no text can pass for a marker.
    """
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(rows)
    buffer.seek(0)
    force_null = f", FORCE_NULL ({', '.join(nullable)})" if nullable else ""
    cursor.copy_expert(
        f"COPY {table} ({', '.join(columns)}) FROM STDIN WITH (FORMAT csv{force_null})", buffer
    )
