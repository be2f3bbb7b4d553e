"""Reviews and messages that could not be processed: each with its reason, none forgotten."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import repeat
from typing import Any, Literal

import msgspec
from msgspec.structs import asdict
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from shared.reviews.origin import Origin
from shared.reviews.wire import Message
from shared.store import awaiting, places
from shared.store.places import QueuePosition, WaitingReview
from shared.store.postgres.fetched import first_column
from shared.store.postgres.recordset import array

# PostgreSQL takes up to half a gigabyte of bytes, ours come as text of twice their size. A message is smaller.
MAX_PAYLOAD_BYTES = 134_217_728

FailureKind = Literal["stage", "prediction", "rejected"]
"""A stored review that a stage could not process, one that no model could predict, and what was never stored."""

_KIND = """
    CASE WHEN f.review_id IS NULL THEN 'rejected' WHEN f.taxonomy_id IS NULL THEN 'prediction' ELSE 'stage' END
"""

# Numbers in a reason, and names made of hexadecimal digits such as UUIDs: of one fault they are different each time.
_NUMBERS = r"\m[0-9a-f-]*[0-9][0-9a-f-]*|[0-9]+"


class FailureFilter(msgspec.Struct, frozen=True):
    """Which failures are meant; None is no condition. `reason` is a part of theirs, `upto` the highest number."""

    numbers: tuple[int, ...] | None = None
    queue: str | None = None
    reason: str | None = None
    upto: int | None = None

    @property
    def values(self) -> dict[str, Any]:
        """What `_CHOSEN` asks for."""
        return asdict(self) | {"numbers": None if self.numbers is None else list(self.numbers)}


_CHOSEN = """
    (%(numbers)s::bigint[] IS NULL OR f.id = ANY(%(numbers)s::bigint[]))
    AND (%(queue)s::text IS NULL OR f.queue = %(queue)s)
    AND (%(reason)s::text IS NULL OR strpos(lower(f.reason), lower(%(reason)s)) > 0)
    AND (%(upto)s::bigint IS NULL OR f.id <= %(upto)s)
"""


class Group(msgspec.Struct, frozen=True):
    """Failures with one queue whose reasons are the same but for the numbers in them.

    `example` is the number of the newest; `reason` and `stream_offset` are that one's.
    """

    kind: FailureKind
    queue: str
    reason: str
    count: int
    first: datetime
    newest: datetime
    example: int
    stream_offset: int | None


class Failure(msgspec.Struct, frozen=True):
    """All that is known of one failure.

    `stream_offset` is set where `queue` names a stream: the place of the message there. `text` is the text that
    failed, unless it has been replaced, `payload` what was rejected, each cut where asked; `size` is its whole length,
    in characters or bytes. `settled` says what has become of a stored review since, and is None where nothing has.
    """

    number: int
    kind: FailureKind
    queue: str
    stream_offset: int | None
    reason: str
    at: datetime
    traceback_hash: str | None
    batch: str | None
    taxonomy: str | None
    review_id: int | None
    revision: int | None
    source: str | None
    external_id: str | None
    text: str | None
    payload: bytes | None
    size: int
    settled: str | None


def record_rejected(
    cursor: Cursor, source: str, messages: Sequence[Message], offsets: Sequence[int] | None = None
) -> None:
    """Note what of messages broke the wire contract, with its batch, if any. The same one twice is one row.

    `offsets` say where in a stream each message was: the same at another offset is another row. One that was sent again
    keeps its first queue, offset and time.
    """
    rows = []
    for message, at_offset in zip(messages, offsets or repeat(None), strict=False):
        batch_id = str(message.batch.id) if message.batch else None
        came = message.origin
        queue, offset, at = (came.queue, came.offset, came.at) if came else (source, at_offset, None)
        place = queue if offset is None else f"{queue} {offset}"
        for item in message.rejected:
            key = b"\0".join((place.encode(), (batch_id or "").encode(), item.payload))
            digest, reason = hashlib.sha256(key).digest(), item.reason.replace("\x00", "")
            named = (_storable(item.source), _storable(item.id))
            payload = item.payload[:MAX_PAYLOAD_BYTES]
            rows.append((digest, queue, offset, reason, *named, batch_id, payload, at))
    execute_values(
        cursor,
        """
        INSERT INTO failures (digest, queue, stream_offset, reason, source, external_id, batch_id, payload, at)
        VALUES %s
        ON CONFLICT (digest) DO NOTHING
        """,
        rows,
        "(%s, %s, %s, %s, %s, %s, %s, %s, coalesce(%s::timestamptz, now()))",
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
    held = places.hold(cursor, list(judged), taxonomy_id)
    given_up = [number for number, place in held.items() if place == QueuePosition(judged[number], stage)]
    places.leave(cursor, given_up, taxonomy_id)
    failed = {number: judged[number] for number in given_up}
    _record_stored(cursor, failed, taxonomy_id, queue, reason, traceback_hash)


def record_unpredicted(
    cursor: Cursor, queue: str, read: Mapping[int, int], taxonomy_id: int, reason: str, traceback_hash: str
) -> None:
    """Note stored reviews that no model can predict, by id and revision, and let them await no prediction.

    The rows name no taxonomy: a review without a prediction can still be labelled.
    """
    rows = [WaitingReview(number, revision, "") for number, revision in read.items()]
    failed = {row.review_id: row.revision for row in awaiting.settle(cursor, rows, taxonomy_id)}
    _record_stored(cursor, failed, None, queue, reason, traceback_hash)


def _record_stored(
    cursor: Cursor, failed: Mapping[int, int], taxonomy_id: int | None, queue: str, reason: str, trace: str
) -> None:
    """One row for each review, by id and revision; the same one twice is one row."""
    # `concat_ws` leaves out a taxonomy that is NULL.
    cursor.execute(
        """
        INSERT INTO failures (digest, queue, reason, review_id, taxonomy_id, revision, traceback_hash)
        SELECT sha256(convert_to(concat_ws('/', %(queue)s, review_id, %(taxonomy)s::integer, revision), 'UTF8')),
               %(queue)s, %(reason)s, review_id, %(taxonomy)s::integer, revision, %(hash)s
        FROM unnest(%(ids)s::bigint[], %(revisions)s::integer[]) AS failed (review_id, revision)
        ON CONFLICT (digest) DO NOTHING
        """,
        {
            "taxonomy": taxonomy_id,
            "ids": array(failed),
            "revisions": array(failed.values()),
            "queue": queue,
            "reason": reason.replace("\x00", ""),
            "hash": trace,
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


def groups(cursor: Cursor, choice: FailureFilter, limit: int) -> tuple[list[Group], int, int]:
    """Failures by queue and kind of reason, newest first, up to `limit`; how many groups, and failures, there are."""
    # The collation: equal means the same bytes, which is found faster than what a language takes for equal.
    cursor.execute(
        f"""
        WITH grouped AS (
            SELECT {_KIND} AS kind, queue, regexp_replace(reason, %(numbers_in_it)s, 'N', 'g') COLLATE "C" AS shape,
                   count(*) AS members, min(at) AS first, max(at) AS newest, max(id) AS example,
                   count(*) OVER () AS groups, sum(count(*)) OVER () AS failures
            FROM failures f WHERE {_CHOSEN}
            GROUP BY kind, queue, shape ORDER BY max(at) DESC, max(id) DESC LIMIT %(limit)s
        )
        SELECT g.groups, g.failures,
               g.kind, g.queue, f.reason, g.members, g.first, g.newest, g.example, f.stream_offset
        FROM grouped g JOIN failures f ON f.id = g.example ORDER BY g.newest DESC, g.example DESC
        """,  # noqa: S608  constants of this module
        {**choice.values, "numbers_in_it": _NUMBERS, "limit": limit},
    )
    rows = cursor.fetchall()
    return [Group(*row[2:]) for row in rows], int(rows[0][0]) if rows else 0, int(rows[0][1]) if rows else 0


def count(cursor: Cursor, choice: FailureFilter) -> tuple[dict[FailureKind, int], int]:
    """How many failures of each kind are meant, and the highest number among them."""
    cursor.execute(
        f"SELECT {_KIND} AS kind, count(*), max(id) FROM failures f WHERE {_CHOSEN} GROUP BY kind",  # noqa: S608
        choice.values,
    )
    rows = cursor.fetchall()
    return {kind: found for kind, found, _ in rows}, max((row[2] for row in rows), default=0)


def missing(cursor: Cursor, numbers: Sequence[int]) -> list[int]:
    """Those numbers that no failure has."""
    cursor.execute(
        "SELECT n FROM unnest(%s::bigint[]) AS n WHERE NOT EXISTS (SELECT FROM failures WHERE id = n) ORDER BY n",
        (list(numbers),),
    )
    return first_column(cursor)


def get(cursor: Cursor, number: int, most: int | None) -> Failure | None:
    """One failure, with up to `most` characters of its text or bytes of its payload; None where there is none."""
    cursor.execute(
        f"""
        SELECT f.id, {_KIND}, f.queue, f.stream_offset, f.reason, f.at, f.traceback_hash,
               coalesce(f.batch_id, r.batch_id)::text,
               t.name || ' ' || t.version, f.review_id, f.revision,
               coalesce(r.source, f.source), coalesce(r.external_id, f.external_id),
               CASE WHEN r.revision = f.revision THEN substr(r.text, 1, %(most)s) END,
               substring(f.payload FROM 1 FOR %(most)s), coalesce(length(r.text), octet_length(f.payload), 0),
               CASE WHEN f.review_id IS NULL THEN NULL
                    WHEN r.revision IS DISTINCT FROM f.revision THEN 'its text has been replaced'
                    WHEN l.status IS NOT NULL THEN 'it has a label, ' || l.status
                    WHEN w.stage IS NOT NULL THEN 'it waits for ' || w.stage
                    WHEN f.taxonomy_id IS NULL THEN (
                        SELECT 'model ' || max(p.model_id) || ' has predicted it' FROM predictions p
                        WHERE p.review_id = f.review_id AND p.revision = f.revision) END
        FROM failures f LEFT JOIN reviews r ON r.id = f.review_id LEFT JOIN taxonomies t ON t.id = f.taxonomy_id
        LEFT JOIN labels l ON l.review_id = f.review_id AND l.taxonomy_id = f.taxonomy_id AND l.revision = f.revision
        LEFT JOIN waiting w ON w.review_id = f.review_id AND w.taxonomy_id = f.taxonomy_id
        WHERE f.id = %(number)s
        """,  # noqa: S608
        {"number": number, "most": 2**31 - 1 if most is None else most},
    )
    row = cursor.fetchone()
    if row is None:
        return None
    values: list[Any] = [bytes(value) if isinstance(value, memoryview) else value for value in row]
    return Failure(*values)


def take(
    cursor: Cursor, choice: FailureFilter, kind: FailureKind, after: int, limit: int
) -> list[tuple[int, int | None]]:
    """The next failures of a kind behind number `after`: number, and bytes of the payload if it has one.

    Whoever takes some next waits until this transaction ends: nobody works on the same ones twice.
    """
    # No lock on the rows themselves: that takes a right to update them, which nobody needs.
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('failures'))")
    cursor.execute(
        f"""
        SELECT f.id, octet_length(f.payload) FROM failures f
        WHERE f.id > %(after)s AND {_KIND} = %(kind)s AND {_CHOSEN}
        ORDER BY f.id LIMIT %(limit)s
        """,  # noqa: S608
        {**choice.values, "after": after, "kind": kind, "limit": limit},
    )
    return cursor.fetchall()


def delete(cursor: Cursor, numbers: Sequence[int]) -> int:
    """Forget failures; returns how many there were."""
    cursor.execute("DELETE FROM failures WHERE id = ANY(%s)", (list(numbers),))
    return cursor.rowcount


def take_out(cursor: Cursor, numbers: Sequence[int]) -> list[tuple[bytes, Origin]]:
    """Forget failures; returns their payloads, and where they first came from, in the order of their numbers.

    Whoever records one of them meanwhile waits until this transaction ends, and is not told that it is there.
    """
    cursor.execute(
        "DELETE FROM failures WHERE id = ANY(%s) RETURNING id, payload, queue, at, stream_offset, batch_id IS NOT NULL",
        (list(numbers),),
    )
    rows = sorted(cursor.fetchall(), key=lambda row: row[0])
    return [(bytes(payload), Origin(*came)) for _, payload, *came in rows]
