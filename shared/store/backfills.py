"""Backfills: stored reviews that a model predicts anew, in parts that each remember how far they are."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import msgspec
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from shared.store.places import WaitingReview
from shared.store.postgres.fetched import all_of, first_of, returned


class BackfillPart(msgspec.Struct, frozen=True):
    """One part of a backfill: reviews with numbers from `next_id` to `last_id` are still to be looked at."""

    model_id: int
    next_id: int
    last_id: int


def start(cursor: Cursor, model_id: int, parts: int) -> tuple[int, list[int]]:
    """A backfill of all reviews that are stored now; returns its number and those of its parts."""
    cursor.execute("INSERT INTO backfills (model_id) VALUES (%s) RETURNING id", (model_id,))
    number = returned(cursor)
    cursor.execute("SELECT min(id), max(id) FROM reviews")
    least, most = cursor.fetchone() or (None, None)
    if least is None:
        return number, []
    edges = [least + (most + 1 - least) * part // parts for part in range(parts + 1)]
    rows = [
        (number, part, first, first, last - 1)
        for part, (first, last) in enumerate(pairwise(edges))
        if last > first
    ]
    execute_values(
        cursor, "INSERT INTO backfill_parts (backfill_id, part, first_id, next_id, last_id) VALUES %s", rows
    )
    return number, [row[1] for row in rows]


def part(cursor: Cursor, backfill: int, number: int) -> BackfillPart | None:
    """What is left of a part; None where nothing is."""
    cursor.execute(
        """
        SELECT b.model_id, p.next_id, p.last_id FROM backfill_parts p JOIN backfills b ON b.id = p.backfill_id
        WHERE p.backfill_id = %s AND p.part = %s AND p.next_id <= p.last_id
        """,
        (backfill, number),
    )
    return first_of(cursor, BackfillPart)


def texts(cursor: Cursor, part: BackfillPart, limit: int) -> list[WaitingReview]:
    """The next reviews of a part that the model has not predicted yet, in the order of their numbers."""
    cursor.execute(
        """
        SELECT r.id, r.revision, r.text FROM reviews r
        WHERE r.id BETWEEN %s AND %s AND NOT EXISTS (
            SELECT FROM predictions p
            WHERE p.review_id = r.id AND p.model_id = %s AND p.revision = r.revision)
        ORDER BY r.id LIMIT %s
        """,
        (part.next_id, part.last_id, part.model_id, limit),
    )
    return all_of(cursor, WaitingReview)


def advance(cursor: Cursor, backfill: int, number: int, part: BackfillPart, next_id: int) -> bool:
    """Note how far a part is; False where somebody else has meanwhile, who then goes on with it."""
    cursor.execute(
        """
        UPDATE backfill_parts SET next_id = %s, at = now()
        WHERE backfill_id = %s AND part = %s AND next_id = %s
        """,
        (next_id, backfill, number, part.next_id),
    )
    return cursor.rowcount == 1


def overdue(cursor: Cursor, after_s: int) -> list[tuple[int, int]]:
    """Parts that nobody has gone on with for `after_s` seconds, which count as sent now."""
    cursor.execute(
        """
        UPDATE backfill_parts SET at = now() WHERE (backfill_id, part) IN (
            SELECT backfill_id, part FROM backfill_parts
            WHERE next_id <= last_id AND at < now() - make_interval(secs => %s)
            ORDER BY 1, 2 FOR UPDATE SKIP LOCKED)
        RETURNING backfill_id, part
        """,
        (after_s,),
    )
    return sorted(cursor.fetchall())


def touch(cursor: Cursor, backfill: int, number: int) -> None:
    """A part that waits for its turn is not lost."""
    cursor.execute(
        "UPDATE backfill_parts SET at = now() WHERE backfill_id = %s AND part = %s", (backfill, number)
    )


class BackfillProgress(msgspec.Struct, frozen=True):
    """How far a backfill is, by numbers of reviews looked at."""

    id: int
    model_id: int
    created_at: datetime
    done: int
    total: int


def progress(cursor: Cursor, backfill: int) -> BackfillProgress | None:
    """How far a backfill is; None where there is none of that number."""
    cursor.execute(
        """
        SELECT b.id, b.model_id, b.created_at, coalesce(sum(p.next_id - p.first_id), 0)::bigint,
               coalesce(sum(p.last_id + 1 - p.first_id), 0)::bigint
        FROM backfills b LEFT JOIN backfill_parts p ON p.backfill_id = b.id WHERE b.id = %s GROUP BY b.id
        """,
        (backfill,),
    )
    return first_of(cursor, BackfillProgress)


def unfinished(cursor: Cursor) -> list[BackfillProgress]:
    """Backfills that are not through."""
    cursor.execute("SELECT DISTINCT backfill_id FROM backfill_parts WHERE next_id <= last_id ORDER BY 1")
    return [found for (number,) in cursor.fetchall() if (found := progress(cursor, number)) is not None]
