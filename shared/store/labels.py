"""Labels: the one category of each review in a taxonomy, by a stage, a person, or somebody else's method."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.store import places
from shared.store.places import HeldPositions, with_revision
from shared.store.postgres.copying import NULL, copied
from shared.store.postgres.recordset import recordset
from shared.store.reviews import hold

PAGE = 1_000
"""Given labels in one statement: a file may hold millions, and each statement has a time limit."""


class Label(msgspec.Struct, frozen=True, gc=False):
    """A review's label as a stage decided it; without a category nobody had a guess."""

    review_id: int
    revision: int
    category: str | None
    confidence: float | None
    stage: str | None
    status: str


_UPSERT = """
INSERT INTO labels AS l (review_id, taxonomy_id, revision, category, confidence, stage, status)
SELECT review_id, %s, revision, category, confidence, stage, status
FROM json_to_recordset(%s) AS i (review_id bigint, revision integer, category text, confidence real,
    stage text, status text)
ON CONFLICT (review_id, taxonomy_id) DO UPDATE
SET revision = excluded.revision, category = excluded.category, confidence = excluded.confidence,
    stage = excluded.stage, status = excluded.status, at = now()
"""
# In the place of other stages' labels, and of people's on an older text.
_REPLACE = f"{_UPSERT} WHERE l.status <> 'human' OR l.revision < excluded.revision"
_REPLACE_BY_GIVEN = f"""
{_UPSERT}
WHERE (l.status <> 'human' OR excluded.status = 'human') AND l.revision <= excluded.revision
  AND (l.revision, l.category, l.confidence, l.stage, l.status) IS DISTINCT FROM
      (excluded.revision, excluded.category, excluded.confidence, excluded.stage, excluded.status)
"""


def settle(cursor: Cursor, rows: Sequence[Label], taxonomy_id: int, held: HeldPositions) -> None:
    """Write labels and take their reviews, whose places are held, out of the line.

    Only a review that still waits with the revision that was judged gets the label, so a text replaced in
    the meantime is not given the label of the old one.
    """
    rows = [row for row in rows if with_revision(held, row.review_id, row.revision)]
    if not rows:
        return
    places.leave(cursor, [row.review_id for row in rows], taxonomy_id)
    added = copied(
        cursor,
        "labels",
        "review_id, taxonomy_id, revision, category, confidence, stage, status",
        [
            f"{row.review_id}\t{taxonomy_id}\t{row.revision}\t{_or_null(row.category)}\t{_or_null(row.confidence)}\t"
            f"{_or_null(row.stage)}\t{row.status}\n".encode()
            for row in rows
            if row.revision == 1
        ],
    )
    others = [row for row in rows if not added or row.revision != 1]
    if others:
        cursor.execute(_REPLACE, (taxonomy_id, recordset(others)))


def _or_null(value: str | float | None) -> str | float:
    return NULL if value is None else value


def settle_by_people(cursor: Cursor, rows: Sequence[tuple[int, int, str]], taxonomy_id: int) -> None:
    """Labels that people gave, as (review id, revision, category): no stage replaces them. The same again is no change.

    Their reviews wait for no stage any more, unless their text has been replaced in the meantime: then they do, and a
    label that the new text has already stays. A review that has been deleted meanwhile gets none.
    """
    _settle_given(cursor, [Label(*row, None, None, "human") for row in rows], taxonomy_id)


def settle_from_outside(
    cursor: Cursor, rows: Sequence[tuple[int, int, str, float]], taxonomy_id: int, stage: str
) -> None:
    """Labels that somebody else's method gave, as (review id, revision, category, confidence), under its name.

    They take the place of labels that stages gave, not of people's. The same again is no change. A review that has
    been deleted meanwhile gets none.
    """
    _settle_given(cursor, [Label(*row, stage, "accepted") for row in rows], taxonomy_id)


def _settle_given(cursor: Cursor, rows: Sequence[Label], taxonomy_id: int) -> None:
    there = hold(cursor, (row.review_id for row in rows))
    rows = sorted((row for row in rows if row.review_id in there), key=lambda row: row.review_id)
    held = places.hold(cursor, [row.review_id for row in rows], taxonomy_id)
    waiting = [row.review_id for row in rows if with_revision(held, row.review_id, row.revision)]
    places.leave(cursor, waiting, taxonomy_id)
    for start in range(0, len(rows), PAGE):
        cursor.execute(_REPLACE_BY_GIVEN, (taxonomy_id, recordset(rows[start : start + PAGE])))


def by_stage(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int) -> dict[str, int]:
    """How many of some reviews have a label by which stage; `human` are people's, and guesses count like the others."""
    cursor.execute(
        """
        SELECT CASE WHEN status = 'human' THEN status ELSE coalesce(stage, 'nobody') END, count(*)
        FROM labels WHERE taxonomy_id = %s AND review_id = ANY(%s) GROUP BY 1 ORDER BY 1
        """,
        (taxonomy_id, list(review_ids)),
    )
    return dict(cursor.fetchall())
