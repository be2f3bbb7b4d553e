"""Letting go of old reviews, with all that was made of them. What people have judged stays, and what still waits."""

from __future__ import annotations

from datetime import datetime

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.store.postgres.fetched import first_column
from shared.store.postgres.recordset import array

# With OFFSET 0 each is looked up by the index. As a join it may be each with each, see `shared.store.places`.
_OLD = """
FROM reviews r WHERE received_at < %(before)s
  AND NOT EXISTS (SELECT FROM waiting w WHERE w.review_id = r.id OFFSET 0)
  AND NOT EXISTS (SELECT FROM awaiting_prediction a WHERE a.review_id = r.id AND a.sent_at IS NOT NULL OFFSET 0)
  AND NOT EXISTS (SELECT FROM gold g WHERE g.review_id = r.id)
  AND NOT EXISTS (SELECT FROM audit_items i WHERE i.review_id = r.id)
  AND NOT EXISTS (SELECT FROM labels l WHERE l.review_id = r.id AND l.status = 'human')
"""
# Labels first: a trigger keeps what is deleted of them in their history. Reviews last: what is left points nowhere.
_TABLES = (
    "labels",
    "label_history",
    "verdicts",
    "withheld",
    "asked",
    "predictions",
    "awaiting_prediction",
    "failures",
    "review_history",
)


class Old(msgspec.Struct, frozen=True):
    """Reviews that came before a time: how many can go, and how many stay since they wait or people judged them."""

    going: int
    staying: int


def old(cursor: Cursor, before: datetime) -> Old:
    """What `prune` would find."""
    cursor.execute(
        f"SELECT (SELECT count(*) {_OLD}), (SELECT count(*) FROM reviews WHERE received_at < %(before)s)",  # noqa: S608
        {"before": before},
    )
    going, together = cursor.fetchone() or (0, 0)
    return Old(going, together - going)


def prune(cursor: Cursor, before: datetime, limit: int) -> int:
    """Delete up to `limit` reviews that came before a time; returns how many. Repeat it until there are none.

    Whoever is about to use one of them holds it, and it stays until the next call.
    """
    cursor.execute(
        f"SELECT id {_OLD} ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
        {"before": before, "limit": limit},
    )
    locked = array(first_column(cursor))
    # Once more: the first look saw nothing of those who let go of a review just before it was locked.
    cursor.execute(f"SELECT id {_OLD} AND id = ANY(%(ids)s::bigint[])", {"before": before, "ids": locked})
    ids = array(first_column(cursor))
    for table in _TABLES:
        cursor.execute(f"DELETE FROM {table} WHERE review_id = ANY(%s::bigint[])", (ids,))  # noqa: S608
    cursor.execute("DELETE FROM reviews WHERE id = ANY(%s::bigint[])", (ids,))
    return cursor.rowcount


def prune_batches(cursor: Cursor, before: datetime) -> int:
    """Delete what is noted about batches that began before a time, and have come whole; returns how many there were."""
    cursor.execute(
        """
        DELETE FROM batches b WHERE created_at < %s
          AND messages <= (SELECT count(*) FROM batch_messages m WHERE m.batch_id = b.id)
        """,
        (before,),
    )
    return cursor.rowcount
