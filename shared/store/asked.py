"""Who waits for tokens, who has been chosen to be asked about, and with which probability at random.

A review that waits for tokens has its queue position as all others have; it counts as sent at `infinity`, so that it is
never overdue. No statement joins the table with a list, see `shared.store.places`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from shared.store import places
from shared.store.postgres.fetched import all_of, first_column, first_value
from shared.store.postgres.recordset import array

_AWAITING_TOKENS = "sent_at = 'infinity'"
_CHOSEN = """EXISTS (
    SELECT FROM asked a WHERE a.review_id = w.review_id AND a.taxonomy_id = w.taxonomy_id AND a.stage = w.stage
        AND a.revision = w.revision OFFSET 0)
"""
"""Whether a review that waits, `w`, has been chosen with its present text."""


class RationedReview(msgspec.Struct, frozen=True, gc=False):
    """A review that waits for tokens. `withheld`: a stage before would have kept its label, and is measured by it."""

    review_id: int
    revision: int
    text: str
    withheld: bool


class Chosen(msgspec.Struct, frozen=True, gc=False):
    """A review to be asked about. `probability` is that of being drawn at random, None: chosen for its worth."""

    review_id: int
    revision: int
    probability: float | None


def await_tokens(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int, stage: str) -> list[int]:
    """Let those wait for tokens that wait for the stage and have not been chosen; returns their ids."""
    places.hold(cursor, review_ids, taxonomy_id)
    cursor.execute(
        f"""
        UPDATE waiting w SET sent_at = 'infinity'
        WHERE taxonomy_id = %s AND stage = %s AND review_id = ANY(%s::bigint[]) AND NOT {_CHOSEN}
        RETURNING review_id
        """,  # noqa: S608  a constant of this module
        (taxonomy_id, stage, array(review_ids)),
    )
    return first_column(cursor)


def awaiting_tokens(cursor: Cursor, taxonomy_id: int, stage: str, limit: int) -> list[RationedReview]:
    """The reviews that wait for tokens, or of more than `limit` so many of them, drawn at random."""
    cursor.execute(
        f"""
        SELECT w.review_id, w.revision, r.text, EXISTS (
            SELECT FROM withheld h WHERE h.review_id = w.review_id AND h.taxonomy_id = w.taxonomy_id
                AND h.revision = w.revision OFFSET 0)
        FROM (
            SELECT * FROM waiting WHERE taxonomy_id = %s AND stage = %s AND {_AWAITING_TOKENS}
            ORDER BY random() LIMIT %s) w
        JOIN reviews r ON r.id = w.review_id ORDER BY w.review_id
        """,  # noqa: S608  a constant of this module
        (taxonomy_id, stage, limit),
    )
    return all_of(cursor, RationedReview)


def in_work(cursor: Cursor, stage: str) -> int:
    """How many have been chosen and have no answer yet, whatever the taxonomy."""
    cursor.execute(
        f"SELECT count(*) FROM waiting w WHERE stage = %s AND NOT {_AWAITING_TOKENS} AND {_CHOSEN}",  # noqa: S608
        (stage,),
    )
    return first_value(cursor, int) or 0


def choose(cursor: Cursor, rows: Sequence[Chosen], taxonomy_id: int, stage: str) -> list[int]:
    """Note whom to ask about. They count as sent now; those that no longer wait for tokens are left out.

    Returns their ids in the order of `rows`.
    """
    places.hold(cursor, [row.review_id for row in rows], taxonomy_id)
    cursor.execute(
        f"""
        UPDATE waiting SET sent_at = now() WHERE taxonomy_id = %s AND stage = %s AND review_id = ANY(%s::bigint[])
            AND {_AWAITING_TOKENS} RETURNING review_id, revision
        """,  # noqa: S608  a constant of this module
        (taxonomy_id, stage, array([row.review_id for row in rows])),
    )
    there = {*cursor.fetchall()}
    mine = [row for row in rows if (row.review_id, row.revision) in there]
    execute_values(
        cursor,
        """
        INSERT INTO asked (review_id, taxonomy_id, stage, revision, probability) VALUES %s
        ON CONFLICT (review_id, taxonomy_id, stage) DO UPDATE
        SET revision = excluded.revision, probability = excluded.probability, at = now()
        """,
        [(row.review_id, taxonomy_id, stage, row.revision, row.probability) for row in mine],
    )
    return [row.review_id for row in mine]


def release(cursor: Cursor, taxonomy_id: int, stage: str, limit: int) -> list[int]:
    """Up to `limit` who waited for tokens and need no more; they count as sent now. Two callers get different ones."""
    return places.sent_now(cursor, taxonomy_id, stage, _AWAITING_TOKENS, limit=limit)


def how_many_await_tokens(cursor: Cursor, taxonomy_id: int | None = None) -> int:
    """How many wait for tokens, for a taxonomy or for all."""
    cursor.execute(
        f"SELECT count(*) FROM waiting WHERE {_AWAITING_TOKENS} AND taxonomy_id = coalesce(%s, taxonomy_id)",  # noqa: S608
        (taxonomy_id,),
    )
    return first_value(cursor, int) or 0
