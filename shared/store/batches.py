"""Batches: what one `enqueue` call sent, message by message, and how far it has come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from shared.reviews.wire import Message
from shared.store.postgres.fetched import first_column, first_value
from shared.store.postgres.recordset import array


class BatchProgress(msgspec.Struct, frozen=True):
    """How far a batch has come. Counts are reviews; one that came in two messages is received twice."""

    batch_id: str
    name: str
    created_at: datetime
    messages: int | None
    messages_stored: int
    received: int
    rejected: int
    waiting: dict[str, int]
    failed: int

    @property
    def complete(self) -> bool:
        """Whether every message of the batch has been stored."""
        return self.messages is not None and self.messages_stored >= self.messages

    @property
    def settled(self) -> int:
        """Reviews that have a label, a place in front of a person, or a failure."""
        return self.received - sum(self.waiting.values())


_WITHOUT_TOTAL = "INSERT INTO batches (id, name, messages) VALUES %s ON CONFLICT DO NOTHING"
_WITH_TOTAL = """
INSERT INTO batches AS b (id, name, messages) VALUES %s ON CONFLICT (id) DO UPDATE
SET messages = excluded.messages WHERE b.messages IS NULL AND excluded.messages IS NOT NULL
"""


def record(cursor: Cursor, messages: Sequence[Message], review_ids: Sequence[Sequence[int]]) -> None:
    """Note that messages, those of them that belong to batches, have been stored as reviews. Twice is one row."""
    stored = [
        (str(message.batch.id), message.batch, ids, len(message.rejected))
        for message, ids in zip(messages, review_ids, strict=True)
        if message.batch
    ]
    if not stored:
        return
    # One row a batch, in the order of ids (no deadlocks); the total is known from its last message.
    rows = {
        batch_id: (batch_id, part.name, part.number + 1 if part.last else None)
        for batch_id, part, _, _ in sorted(stored, key=lambda row: (row[0], row[1].last))
    }
    # Who has nothing to add leaves a row that is there alone: an UPDATE locks it, also where it changes nothing, and
    # all processes work on one batch.
    is_last = any(total is not None for _, _, total in rows.values())
    execute_values(
        cursor,
        _WITH_TOTAL if is_last else _WITHOUT_TOTAL,
        list(rows.values()),
        template="(%s::uuid, %s, %s::integer)",
    )
    execute_values(
        cursor,
        "INSERT INTO batch_messages (batch_id, number, review_ids, rejected) VALUES %s ON CONFLICT DO NOTHING",
        [(batch_id, part.number, array(sorted(set(ids))), count) for batch_id, part, ids, count in stored],
        template="(%s::uuid, %s, %s::bigint[], %s)",
    )


def stored(cursor: Cursor, batch_id: str) -> set[int]:
    """The numbers of a batch's messages that have been stored."""
    cursor.execute("SELECT number FROM batch_messages WHERE batch_id = %s", (batch_id,))
    return set(first_column(cursor))


def progress(cursor: Cursor, batch_id: str, taxonomy_id: int) -> BatchProgress | None:
    """How far a batch has come, or None when nothing of it has been stored yet."""
    cursor.execute(
        """
        SELECT b.name, b.created_at, b.messages, count(m.number),
               coalesce(sum(cardinality(m.review_ids)), 0), coalesce(sum(m.rejected), 0)
        FROM batches b LEFT JOIN batch_messages m ON m.batch_id = b.id
        WHERE b.id = %s GROUP BY b.id
        """,
        (batch_id,),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    # Each is looked up by the index. As a join it may be each member with each that waits, see `shared.store.places`.
    cursor.execute(
        """
        WITH members AS (SELECT DISTINCT unnest(review_ids) AS id FROM batch_messages WHERE batch_id = %s)
        SELECT w.stage, count(*) FROM members m,
            LATERAL (SELECT stage FROM waiting WHERE review_id = m.id AND taxonomy_id = %s OFFSET 0) w
        GROUP BY w.stage
        """,
        (batch_id, taxonomy_id),
    )
    waiting = dict(cursor.fetchall())
    cursor.execute(
        """
        WITH members AS (SELECT DISTINCT unnest(review_ids) AS id FROM batch_messages WHERE batch_id = %s)
        SELECT count(DISTINCT m.id) FROM members m,
            LATERAL (SELECT revision FROM failures WHERE review_id = m.id AND taxonomy_id = %s OFFSET 0) f,
            LATERAL (SELECT revision FROM reviews WHERE id = m.id OFFSET 0) r
        WHERE f.revision = r.revision
        """,
        (batch_id, taxonomy_id),
    )
    failed = first_value(cursor, int) or 0
    values: list[Any] = [batch_id, *row, waiting, failed]
    return BatchProgress(*values)


def recent(cursor: Cursor, limit: int) -> list[tuple[str, str, datetime]]:
    """The newest batches: id, name, when their first message was stored. Those of one transaction by name."""
    cursor.execute(
        "SELECT id::text, name, created_at FROM batches ORDER BY created_at DESC, name, id LIMIT %s", (limit,)
    )
    return cursor.fetchall()
