"""Places in line: a review has one in `waiting` from the moment it is stored until it has a label or a failure.

Statements find places by ids as one array and never join the line with a list. What the server knows of a line's
length is old: with the statistics of an empty one it takes a join for cheap that compares each with each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.store.postgres import copying
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


def _line(stage: str | None) -> tuple[Table, str]:
    """The table of those who wait for a stage, or with None for a prediction, and the condition on its rows."""
    return ("awaiting_prediction", "true") if stage is None else ("waiting", "stage = %(stage)s")


def texts(
    cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int, stage: str | None
) -> list[WaitingReview]:
    """The reviews among `review_ids` that wait for `stage`, or with None a prediction; those past it are left out."""
    table, for_stage = _line(stage)
    cursor.execute(
        f"""
        SELECT r.id, r.revision, r.text, extract(epoch FROM now() - r.received_at)::float8
        FROM {table} w JOIN reviews r ON r.id = w.review_id
        WHERE w.taxonomy_id = %(taxonomy)s AND {for_stage} AND w.review_id = ANY(%(ids)s::bigint[]) ORDER BY r.id
        """,  # noqa: S608  constants of this module
        {"taxonomy": taxonomy_id, "stage": stage, "ids": array(review_ids)},
    )
    return all_of(cursor, WaitingReview)


def in_line(cursor: Cursor, table: Table) -> list[int]:
    """The taxonomies for which reviews wait."""
    cursor.execute(f"SELECT DISTINCT taxonomy_id FROM {table} ORDER BY 1")  # noqa: S608
    return first_column(cursor)


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


def take(cursor: Cursor, stages: Mapping[int, str], taxonomy_id: int) -> None:
    """Places in line for reviews that this transaction has stored: each waits for a stage."""
    if stages:
        first = copying.integer_cell(taxonomy_id) + copying.integer_cell(1)
        rows = [
            copying.columns(4) + copying.bigint_cell(number) + first + copying.text_cell(stage)
            for number, stage in stages.items()
        ]
        copying.copy(cursor, "waiting", "review_id, taxonomy_id, revision, stage", rows)


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


def overdue(cursor: Cursor, taxonomy_id: int, stage: str | None, after_s: int, limit: int) -> list[int]:
    """Reviews whose message for `stage`, or a prediction, was sent more than `after_s` seconds ago.

    They count as sent now. Two callers at once get different reviews.
    """
    condition = "sent_at < now() - make_interval(secs => %(after_s)s)"
    return sent_now(cursor, taxonomy_id, stage, condition, after_s=after_s, limit=limit)


def keep(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int, stage: str | None) -> None:
    """Their message for `stage`, or a prediction, counts as sent now: they are not overdue. Waits for nobody."""
    condition = "sent_at IS NOT NULL AND review_id = ANY(%(ids)s::bigint[])"
    sent_now(cursor, taxonomy_id, stage, condition, ids=array(review_ids), limit=None)


def sent_now(
    cursor: Cursor, taxonomy_id: int, stage: str | None, condition: str, **values: object
) -> list[int]:
    """Up to `limit` who wait under a condition of ours, whose messages count as sent now. Locked ones are left out."""
    table, for_stage = _line(stage)
    cursor.execute(
        f"""
        SELECT review_id FROM {table} WHERE taxonomy_id = %(taxonomy)s AND {for_stage} AND {condition}
        ORDER BY review_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        """,  # noqa: S608  constants of this module and of `awaiting`
        {**values, "taxonomy": taxonomy_id, "stage": stage},
    )
    found = first_column(cursor)
    cursor.execute(
        f"UPDATE {table} SET sent_at = now() WHERE taxonomy_id = %s AND review_id = ANY(%s::bigint[])",  # noqa: S608
        (taxonomy_id, array(found)),
    )
    return found
