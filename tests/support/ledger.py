"""What a database holds, for tests that ask whether anything was lost, doubled or changed."""

from __future__ import annotations

from typing import Any

from shared.store import Database
from tests.support.stored import ask as rows


def count(database: Database, table: str) -> int:
    """How many rows a table holds."""
    return int(rows(database, f"SELECT count(*) FROM {table}")[0][0])


def versions(database: Database, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the tables with its physical version: equal only if no row was so much as rewritten."""
    return {
        table: rows(database, f"SELECT ctid::text, xmin::text, t.* FROM {table} t ORDER BY 1")
        for table in tables
    }


def astray(database: Database) -> list[tuple[Any, ...]]:
    """Reviews that are in none or in several of: waiting, labelled, failed. The promise is: none."""
    return rows(
        database,
        """
        SELECT r.id, w.n, l.n, f.n FROM reviews r
        LEFT JOIN (SELECT review_id, count(*) AS n FROM waiting GROUP BY 1) w ON w.review_id = r.id
        LEFT JOIN (SELECT review_id, count(*) AS n FROM labels GROUP BY 1) l ON l.review_id = r.id
        LEFT JOIN (SELECT review_id, count(*) AS n FROM failures GROUP BY 1) f ON f.review_id = r.id
        WHERE coalesce(w.n, 0) + coalesce(l.n, 0) + coalesce(f.n, 0) <> 1
        """,
    )
