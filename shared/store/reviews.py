"""Reviews: stored once by (source, id); another text under the same name replaces the text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.reviews import Review
from shared.store.copying import copy_rows


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """A review on its way in; `part` numbers the message (in this transaction) that brought it."""

    review: Review
    part: int = 0
    batch_id: str | None = None


class Stored(msgspec.Struct, frozen=True):
    """What became of a transaction's reviews.

    `ids` holds the review ids of each part; `first_stage` the ids that wait for the first stage, to be sent,
    `unpredicted` those that await a prediction.
    """

    ids: dict[int, list[int]]
    first_stage: list[int]
    new: int
    replaced: int
    unpredicted: list[int] = []


_COLUMNS = ("position", "part", "source", "external_id", "text", "text_sha", "created_at", "meta", "batch_id")


def upsert(cursor: Cursor, incoming: Sequence[Incoming], taxonomy_id: int, first_stage: str) -> Stored:
    """Store reviews and put those without a label in line for the first stage, in one transaction.

    A review that is known with the same text changes no row. The last of several with one name wins.
    Rows are touched in the order of their names, so that two such transactions never deadlock.
    """
    _load(cursor, incoming)
    cursor.execute(
        """
        INSERT INTO reviews (source, external_id, text, text_sha, created_at, meta, batch_id)
        SELECT DISTINCT ON (source, external_id)
               source, external_id, text, text_sha, created_at, meta, batch_id
        FROM incoming_reviews ORDER BY source, external_id, position DESC
        ON CONFLICT (source, external_id) DO UPDATE
        SET text = excluded.text, text_sha = excluded.text_sha, revision = reviews.revision + 1,
            created_at = excluded.created_at, meta = excluded.meta, batch_id = excluded.batch_id,
            received_at = now()
        WHERE reviews.text_sha <> excluded.text_sha
        RETURNING id, revision
        """
    )
    written = cursor.fetchall()
    replaced = [review_id for review_id, revision in written if revision > 1]
    _lock(cursor)
    if replaced:
        _forget_labels(cursor, replaced, first_stage)
    _wait_for(cursor, taxonomy_id, first_stage)
    ids, waiting = _whereabouts(cursor, taxonomy_id, first_stage)
    return Stored(ids, waiting, len(written) - len(replaced), len(replaced))


def _load(cursor: Cursor, incoming: Iterable[Incoming]) -> None:
    cursor.execute(
        """
        CREATE TEMPORARY TABLE IF NOT EXISTS incoming_reviews (
            position integer, part integer, source text, external_id text, text text, text_sha bytea,
            created_at timestamptz, meta jsonb, batch_id uuid
        ) ON COMMIT DELETE ROWS
        """
    )
    rows = (
        (
            position,
            item.part,
            item.review.source,
            item.review.id,
            item.review.text,
            "\\x" + item.review.text_sha,
            item.review.created_at.isoformat() if item.review.created_at else "",
            item.review.meta or "",
            item.batch_id or "",
        )
        for position, item in enumerate(incoming)
    )
    copy_rows(cursor, "incoming_reviews", _COLUMNS, rows, nullable=("created_at", "meta", "batch_id"))


def _lock(cursor: Cursor) -> None:
    """Wait until no stage works on these reviews, so that what follows sees the labels they have by then."""
    cursor.execute(
        """
        SELECT FROM waiting WHERE review_id IN (
            SELECT r.id FROM incoming_reviews i JOIN reviews r USING (source, external_id))
        ORDER BY review_id, taxonomy_id FOR UPDATE
        """
    )


def _wait_for(cursor: Cursor, taxonomy_id: int, stage: str) -> None:
    cursor.execute(
        """
        INSERT INTO waiting (review_id, taxonomy_id, revision, stage)
        SELECT DISTINCT r.id, %(taxonomy)s, r.revision, %(stage)s
        FROM incoming_reviews i JOIN reviews r USING (source, external_id)
        WHERE NOT EXISTS (
                SELECT FROM labels l
                WHERE l.review_id = r.id AND l.taxonomy_id = %(taxonomy)s AND l.revision = r.revision)
          AND NOT EXISTS (
                SELECT FROM failures f
                WHERE f.review_id = r.id AND f.taxonomy_id = %(taxonomy)s AND f.revision = r.revision)
        ORDER BY r.id
        ON CONFLICT (review_id, taxonomy_id) DO UPDATE
        SET revision = excluded.revision, stage = excluded.stage, since = now(), sent_at = now()
        WHERE waiting.revision < excluded.revision
        """,
        {"taxonomy": taxonomy_id, "stage": stage},
    )


def _forget_labels(cursor: Cursor, review_ids: list[int], first_stage: str) -> None:
    """Labels of a replaced text move to the history (a trigger), and every taxonomy that had one starts anew."""
    cursor.execute(
        """
        WITH forgotten AS (DELETE FROM labels WHERE review_id = ANY(%(ids)s) RETURNING review_id, taxonomy_id),
        affected AS (
            SELECT review_id, taxonomy_id FROM forgotten
            UNION SELECT review_id, taxonomy_id FROM waiting WHERE review_id = ANY(%(ids)s))
        INSERT INTO waiting (review_id, taxonomy_id, revision, stage)
        SELECT r.id, a.taxonomy_id, r.revision, %(stage)s
        FROM affected a JOIN reviews r ON r.id = a.review_id ORDER BY r.id, a.taxonomy_id
        ON CONFLICT (review_id, taxonomy_id) DO UPDATE
        SET revision = excluded.revision, stage = excluded.stage, since = now(), sent_at = now()
        WHERE waiting.revision < excluded.revision
        """,
        {"ids": review_ids, "stage": first_stage},
    )


def _whereabouts(cursor: Cursor, taxonomy_id: int, stage: str) -> tuple[dict[int, list[int]], list[int]]:
    cursor.execute(
        """
        SELECT i.part, r.id, w.review_id IS NOT NULL
        FROM incoming_reviews i JOIN reviews r USING (source, external_id)
        LEFT JOIN waiting w ON w.review_id = r.id AND w.taxonomy_id = %s AND w.stage = %s
        ORDER BY i.position
        """,
        (taxonomy_id, stage),
    )
    ids: dict[int, list[int]] = {}
    waiting: dict[int, None] = {}
    for part, review_id, waits in cursor.fetchall():
        ids.setdefault(part, []).append(review_id)
        if waits:
            waiting[review_id] = None
    return ids, list(waiting)


def some(cursor: Cursor, limit: int) -> list[tuple[int, str]]:
    """Numbers and texts of up to `limit` reviews, drawn at random; fewer where many have been deleted."""
    cursor.execute(
        """
        WITH ends AS (SELECT min(id) AS least, max(id) AS most FROM reviews),
        drawn AS (
            SELECT DISTINCT least + floor(random() * (most - least + 1))::bigint AS id
            FROM ends, generate_series(1, %(limit)s * 4))
        SELECT id, text FROM reviews JOIN drawn USING (id) LIMIT %(limit)s
        """,
        {"limit": limit},
    )
    found = cursor.fetchall()
    if len(found) < limit // 10:
        # Numbers with large gaps: few of the drawn ones are there.
        cursor.execute("SELECT id, text FROM reviews ORDER BY random() LIMIT %s", (limit,))
        found = cursor.fetchall()
    return found
