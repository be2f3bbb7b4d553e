"""Reviews and messages that could not be processed: each with its reason, none forgotten."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from shared.reviews import Rejected

# PostgreSQL takes up to half a gigabyte of bytes, ours come as text of twice their size. A message is smaller.
MAX_PAYLOAD_BYTES = 134_217_728


def record_rejected(cursor: Cursor, queue: str, rejected: Iterable[tuple[Rejected, str | None]]) -> None:
    """Note reviews (with their batch, if any) that broke the wire contract. The same one twice is one row."""
    rows = [
        (
            hashlib.sha256(b"\0".join((queue.encode(), (batch_id or "").encode(), item.payload))).digest(),
            queue,
            item.reason.replace("\x00", ""),
            _storable(item.source),
            _storable(item.id),
            batch_id,
            item.payload[:MAX_PAYLOAD_BYTES],
        )
        for item, batch_id in rejected
    ]
    execute_values(
        cursor,
        """
        INSERT INTO failures (digest, queue, reason, source, external_id, batch_id, payload) VALUES %s
        ON CONFLICT (digest) DO NOTHING
        """,
        rows,
    )


def _storable(name: str | None) -> str | None:
    return None if name is None else name.replace("\x00", "").encode(errors="replace").decode()


def record_failed(
    cursor: Cursor,
    queue: str,
    judged: Mapping[int, int],
    taxonomy_id: int,
    stage: str,
    reason: str,
    traceback_hash: str,
) -> None:
    """Note stored reviews that a stage can never process, and take them out of the waiting line.

    `judged` maps review ids to the revision that was tried: a text replaced since then is left in line.
    """
    cursor.execute(
        """
        WITH given_up AS (
            DELETE FROM waiting w
            USING unnest(%(ids)s::bigint[], %(revisions)s::integer[]) AS judged (review_id, revision)
            WHERE w.taxonomy_id = %(taxonomy)s AND w.stage = %(stage)s
              AND w.review_id = judged.review_id AND w.revision = judged.revision
            RETURNING w.review_id, w.taxonomy_id, w.revision
        )
        INSERT INTO failures (digest, queue, reason, review_id, taxonomy_id, revision, traceback_hash)
        SELECT sha256(convert_to(concat_ws('/', %(queue)s, review_id, taxonomy_id, revision), 'UTF8')),
               %(queue)s, %(reason)s, review_id, taxonomy_id, revision, %(hash)s
        FROM given_up ON CONFLICT (digest) DO NOTHING
        """,
        {
            "taxonomy": taxonomy_id,
            "ids": list(judged),
            "revisions": list(judged.values()),
            "stage": stage,
            "queue": queue,
            "reason": reason.replace("\x00", ""),
            "hash": traceback_hash,
        },
    )


def reasons(cursor: Cursor, batch_id: str, limit: int) -> list[tuple[str, str, int]]:
    """Why reviews of a batch were rejected: reason, an example's id, count; most frequent first."""
    cursor.execute(
        """
        SELECT reason, coalesce(min(source || '/' || external_id), '?'), count(*) FROM failures
        WHERE batch_id = %s GROUP BY reason ORDER BY count(*) DESC, reason LIMIT %s
        """,
        (batch_id, limit),
    )
    return cursor.fetchall()
