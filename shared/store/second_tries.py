"""Stored reviews that failed, back in the line that they had left."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.store.awaiting import PREDICTED
from shared.store.postgres.fetched import all_of, first_column


class Again(msgspec.Struct, frozen=True, gc=False):
    """A review that waits for a stage once more."""

    review_id: int
    taxonomy_id: int
    revision: int
    stage: str


_WAIT_AGAIN = """
WITH again AS (
    INSERT INTO waiting (review_id, taxonomy_id, revision, stage)
    SELECT DISTINCT ON (f.review_id, f.taxonomy_id) f.review_id, f.taxonomy_id, f.revision, coalesce((
        SELECT c.stage
        FROM unnest(%(queues)s::text[], %(stages)s::text[]) WITH ORDINALITY AS c (queue, stage, place)
        WHERE c.queue = f.queue
        ORDER BY EXISTS (
            SELECT FROM verdicts v
            WHERE v.review_id = f.review_id AND v.taxonomy_id = f.taxonomy_id AND v.stage = c.stage
              AND v.revision = f.revision), c.place
        LIMIT 1), %(first)s)
    FROM failures f JOIN reviews r ON r.id = f.review_id AND r.revision = f.revision
    WHERE f.id = ANY(%(numbers)s) AND f.taxonomy_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM labels l
        WHERE l.review_id = f.review_id AND l.taxonomy_id = f.taxonomy_id AND l.revision = f.revision)
    ORDER BY f.review_id, f.taxonomy_id, f.id DESC
    ON CONFLICT (review_id, taxonomy_id) DO NOTHING
    RETURNING review_id, taxonomy_id, revision, stage),
gone AS (
    DELETE FROM failures f USING again a
    WHERE f.review_id = a.review_id AND f.taxonomy_id = a.taxonomy_id AND f.revision = a.revision)
SELECT review_id, taxonomy_id, revision, stage FROM again ORDER BY review_id, taxonomy_id
"""


def wait_again(
    cursor: Cursor, numbers: Sequence[int], stages: Sequence[tuple[str, str]], first_stage: str
) -> list[Again]:
    """Failures in a stage become places in line again; those that are left as they are have been settled otherwise.

    That is, their text has been replaced, or they have a label, or wait already. `stages` are (queue, stage) in the
    order of the cascade: a row does not say which stage of its queue it was, so a review waits for the first of which
    it has no verdict, and for `first_stage` where none of the queue is in use.
    """
    _lock(cursor, numbers)
    cursor.execute(
        _WAIT_AGAIN,
        {
            "numbers": list(numbers),
            "queues": [queue for queue, _ in stages],
            "stages": [stage for _, stage in stages],
            "first": first_stage,
        },
    )
    return all_of(cursor, Again)


def await_again(cursor: Cursor, numbers: Sequence[int], taxonomy_id: int) -> list[int]:
    """Failures to predict become places in the line of predictions again; returns the reviews.

    Left as they are: those whose text has been replaced, and those that a model of the taxonomy, in any version, has
    predicted meanwhile.
    """
    _lock(cursor, numbers)
    cursor.execute(
        f"""
        WITH again AS (
            INSERT INTO awaiting_prediction (review_id, taxonomy_id, revision)
            SELECT DISTINCT f.review_id, %(taxonomy)s, f.revision
            FROM failures f JOIN reviews r ON r.id = f.review_id AND r.revision = f.revision
            WHERE f.id = ANY(%(numbers)s) AND f.taxonomy_id IS NULL AND NOT {PREDICTED}
            ORDER BY f.review_id
            ON CONFLICT (review_id, taxonomy_id) DO UPDATE SET revision = excluded.revision, sent_at = now()
            RETURNING review_id, revision),
        gone AS (
            DELETE FROM failures f USING again a
            WHERE f.review_id = a.review_id AND f.revision = a.revision AND f.taxonomy_id IS NULL)
        SELECT review_id FROM again ORDER BY review_id
        """,  # noqa: S608  a constant of `awaiting`
        {"numbers": list(numbers), "taxonomy": taxonomy_id},
    )
    return first_column(cursor)


def _lock(cursor: Cursor, numbers: Sequence[int]) -> None:
    """Hold the texts as they are until the transaction ends: in the order in which ingest replaces them."""
    cursor.execute(
        """
        SELECT FROM reviews WHERE id IN (SELECT review_id FROM failures WHERE id = ANY(%s))
        ORDER BY source, external_id FOR SHARE
        """,
        (list(numbers),),
    )
