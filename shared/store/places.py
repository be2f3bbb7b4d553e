"""Places in line: a review has one in `waiting` from the moment it is stored until it has a label or a failure.

Statements find places by ids as one array and never join the line with a list. What the server knows of a line's
length is old: with the statistics of an empty one it takes a join for cheap that compares each with each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.store.postgres.fetched import all_of, first_column
from shared.store.postgres.recordset import array

Table = Literal["waiting", "awaiting_prediction"]
"""Who waits for a stage, and who waits for a prediction."""


class WaitingReview(msgspec.Struct, frozen=True, gc=False):
    """A review that waits for a stage. `age_s` is how long ago its text arrived, where somebody asked for that."""

    review_id: int
    revision: int
    text: str
    age_s: float = 0.0


class QueuePosition(msgspec.Struct, frozen=True, gc=False):
    """What a review waits with, and for."""

    revision: int
    stage: str


HeldPositions = Mapping[int, QueuePosition]
"""Places that a transaction holds, by review id: nobody moves them until it ends."""


def texts(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int, stage: str) -> list[WaitingReview]:
    """The reviews among `review_ids` that wait for `stage`; those already past it are left out."""
    cursor.execute(
        """
        SELECT r.id, r.revision, r.text, extract(epoch FROM now() - r.received_at)::float8
        FROM waiting w JOIN reviews r ON r.id = w.review_id
        WHERE w.taxonomy_id = %s AND w.stage = %s AND w.review_id = ANY(%s::bigint[]) ORDER BY r.id
        """,
        (taxonomy_id, stage, array(review_ids)),
    )
    return all_of(cursor, WaitingReview)


def hold(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int) -> HeldPositions:
    """Hold the places of a batch, in one order everywhere, until the transaction ends."""
    cursor.execute(
        """
        SELECT review_id, revision, stage FROM waiting
        WHERE taxonomy_id = %s AND review_id = ANY(%s::bigint[]) ORDER BY review_id FOR UPDATE
        """,
        (taxonomy_id, array(review_ids)),
    )
    return {review_id: QueuePosition(revision, stage) for review_id, revision, stage in cursor.fetchall()}


def with_revision(held: HeldPositions, review_id: int, revision: int) -> bool:
    """Whether a review still waits, and with that text."""
    place = held.get(review_id)
    return place is not None and place.revision == revision


def leave(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int, table: Table = "waiting") -> None:
    """Take reviews, whose places are held, out of the line."""
    cursor.execute(
        f"DELETE FROM {table} WHERE taxonomy_id = %s AND review_id = ANY(%s::bigint[])",  # noqa: S608
        (taxonomy_id, array(review_ids)),
    )


def pass_on(
    cursor: Cursor, rows: Sequence[WaitingReview], taxonomy_id: int, next_stage: str, held: HeldPositions
) -> list[int]:
    """Let reviews wait for the next stage, unless their text has been replaced in the meantime; returns those ids."""
    ids = [row.review_id for row in rows if with_revision(held, row.review_id, row.revision)]
    cursor.execute(
        """
        UPDATE waiting SET stage = %s, since = now(), sent_at = now()
        WHERE taxonomy_id = %s AND review_id = ANY(%s::bigint[])
        """,
        (next_stage, taxonomy_id, array(ids)),
    )
    return ids


def ids(cursor: Cursor, taxonomy_id: int, stage: str) -> list[int]:
    """All reviews that wait for `stage`."""
    cursor.execute(
        "SELECT review_id FROM waiting WHERE taxonomy_id = %s AND stage = %s ORDER BY 1", (taxonomy_id, stage)
    )
    return first_column(cursor)


def stranded(cursor: Cursor, taxonomy_id: int, stage: str, limit: int) -> list[WaitingReview]:
    """Reviews that wait for a stage, up to `limit`, locked; two callers at once get different ones."""
    cursor.execute(
        """
        SELECT r.id, r.revision, r.text FROM waiting w JOIN reviews r ON r.id = w.review_id
        WHERE w.taxonomy_id = %s AND w.stage = %s ORDER BY r.id LIMIT %s FOR UPDATE OF w SKIP LOCKED
        """,
        (taxonomy_id, stage, limit),
    )
    return all_of(cursor, WaitingReview)


def overdue(cursor: Cursor, taxonomy_id: int, stage: str, after_s: int, limit: int) -> list[int]:
    """Reviews whose message for `stage` was sent more than `after_s` seconds ago; they count as sent now.

    Two callers at once get different reviews.
    """
    condition = "stage = %(stage)s AND sent_at < now() - make_interval(secs => %(after_s)s)"
    return sent_now(cursor, "waiting", taxonomy_id, condition, {"stage": stage, "after_s": after_s}, limit)


def keep(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int, stage: str) -> None:
    """Their message for `stage` counts as sent now, so that they are not overdue. Waits for no other transaction."""
    condition = "stage = %(stage)s AND review_id = ANY(%(ids)s::bigint[])"
    sent_now(cursor, "waiting", taxonomy_id, condition, {"stage": stage, "ids": array(review_ids)})


def sent_now(
    cursor: Cursor,
    table: Table,
    taxonomy_id: int,
    condition: str,
    values: Mapping[str, object],
    limit: int | None = None,
) -> list[int]:
    """Reviews that wait under a condition of ours, whose messages count as sent now. Those that are locked are not."""
    cursor.execute(
        f"""
        SELECT review_id FROM {table} WHERE taxonomy_id = %(taxonomy)s AND {condition}
        ORDER BY review_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        """,  # noqa: S608  constants of this module and of `awaiting`
        {**values, "taxonomy": taxonomy_id, "limit": limit},
    )
    found = first_column(cursor)
    cursor.execute(
        f"UPDATE {table} SET sent_at = now() WHERE taxonomy_id = %s AND review_id = ANY(%s::bigint[])",  # noqa: S608
        (taxonomy_id, array(found)),
    )
    return found
