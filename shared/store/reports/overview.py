"""Counts for people: labels by category, verdicts by confidence, who waits for what."""

from __future__ import annotations

from datetime import datetime

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.store.postgres.fetched import all_of


class CategoryCount(msgspec.Struct, frozen=True):
    """Labels of one category and status, with the mean of their confidence."""

    category: str | None
    status: str
    count: int
    mean_confidence: float | None


def categories(cursor: Cursor, batch_id: str, taxonomy_id: int) -> list[CategoryCount]:
    """Labels of a batch by category and status."""
    cursor.execute(
        """
        WITH members AS (SELECT DISTINCT unnest(review_ids) AS id FROM batch_messages WHERE batch_id = %s)
        SELECT l.category, l.status, count(*), avg(l.confidence)
        FROM members m JOIN labels l ON l.review_id = m.id AND l.taxonomy_id = %s
        GROUP BY l.category, l.status
        """,
        (batch_id, taxonomy_id),
    )
    return all_of(cursor, CategoryCount)


def confidences(
    cursor: Cursor, batch_id: str, taxonomy_id: int, stage: str, bins: int
) -> tuple[tuple[int, ...], float | None]:
    """A stage's verdicts on a batch, kept or not, counted in equal bins, and the mean confidence of its labels."""
    cursor.execute(
        """
        WITH members AS (SELECT DISTINCT unnest(review_ids) AS id FROM batch_messages WHERE batch_id = %(batch)s),
        said AS (
            SELECT CASE WHEN l.judge IS NULL THEN v.confidence ELSE l.confidence END AS confidence,
                   coalesce(l.status = 'accepted', false) AS kept
            FROM members m JOIN reviews r ON r.id = m.id
            LEFT JOIN labels l ON l.review_id = r.id AND l.taxonomy_id = %(taxonomy)s AND l.stage = %(stage)s
            LEFT JOIN verdicts v ON v.review_id = r.id AND v.taxonomy_id = %(taxonomy)s AND v.stage = %(stage)s
                AND v.revision = r.revision AND l.judge IS NULL)
        SELECT least(floor(confidence * %(bins)s)::integer, %(bins)s - 1), count(*), count(*) FILTER (WHERE kept),
               sum(confidence) FILTER (WHERE kept)
        FROM said WHERE confidence IS NOT NULL GROUP BY 1
        """,
        {"batch": batch_id, "taxonomy": taxonomy_id, "stage": stage, "bins": bins},
    )
    rows = cursor.fetchall()
    counts = {place: count for place, count, _, _ in rows}
    kept = sum(row[2] for row in rows)
    total = sum(row[3] or 0.0 for row in rows)
    return tuple(counts.get(place, 0) for place in range(bins)), total / kept if kept else None


class StageBacklog(msgspec.Struct, frozen=True):
    """Reviews that wait for one stage, and since when the oldest does."""

    stage: str
    count: int
    oldest: datetime


def backlog(cursor: Cursor, taxonomy_id: int) -> tuple[list[StageBacklog], int]:
    """Who waits for which stage, whatever the taxonomy, and how many of them for another one than this."""
    cursor.execute(
        """
        SELECT stage, count(*), min(since), count(*) FILTER (WHERE taxonomy_id <> %s)
        FROM waiting GROUP BY stage
        """,
        (taxonomy_id,),
    )
    rows = cursor.fetchall()
    return [StageBacklog(*row[:3]) for row in rows], sum(row[3] for row in rows)


class StageCount(msgspec.Struct, frozen=True):
    """Labels that came from one stage with one status; `people` for theirs, None where nobody guessed."""

    stage: str | None
    status: str
    count: int


def funnel(cursor: Cursor, taxonomy_id: int) -> list[StageCount]:
    """All labels of a taxonomy by stage and status.

    A label with a category and without a stage is people's, also where they differ about it now and it is for review.
    """
    cursor.execute(
        """
        SELECT coalesce(stage, CASE WHEN category IS NOT NULL THEN 'people' END), status, count(*)
        FROM labels WHERE taxonomy_id = %s GROUP BY 1, 2
        """,
        (taxonomy_id,),
    )
    return all_of(cursor, StageCount)


def settled_before(cursor: Cursor, batch_id: str, taxonomy_id: int) -> list[StageCount]:
    """Labels by stages of a batch's reviews that are older than the batch, by stage and status; the largest first."""
    cursor.execute(
        """
        WITH members AS (SELECT DISTINCT unnest(review_ids) AS id FROM batch_messages WHERE batch_id = %(batch)s)
        SELECT l.stage, l.status, count(*) FROM members m
        JOIN labels l ON l.review_id = m.id AND l.taxonomy_id = %(taxonomy)s
        WHERE l.status <> 'human' AND l.at < (SELECT created_at FROM batches WHERE id = %(batch)s)
        GROUP BY 1, 2 ORDER BY 2, 3 DESC, 1
        """,
        {"batch": batch_id, "taxonomy": taxonomy_id},
    )
    return all_of(cursor, StageCount)


def failure_count(cursor: Cursor) -> tuple[int, int]:
    """Failures of stored reviews, and of messages or reviews that were never stored."""
    cursor.execute("SELECT count(review_id), count(*) - count(review_id) FROM failures")
    row = cursor.fetchone() or (0, 0)
    return int(row[0]), int(row[1])
