"""Streams that reviews are read from: how far each has been read, and the lock that lets one process read it.

RabbitMQ keeps no position for a reader of AMQP 0-9-1. It is a row here, moved in the transaction that stores reviews.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import msgspec
import psycopg2
from psycopg2.extensions import cursor as Cursor

from shared.errors import PositionLost
from shared.store.postgres.database import Database
from shared.store.postgres.fetched import all_of, first_value
from shared.store.postgres.recordset import array

# The server notices within a minute that a reader's machine has vanished, not after the two hours of its default.
_KEEPALIVES = """
    SET LOCAL tcp_keepalives_idle = 30; SET LOCAL tcp_keepalives_interval = 10; SET LOCAL tcp_keepalives_count = 3
"""


class Step(msgspec.Struct, frozen=True):
    """One transaction's way along a stream: from `seen` to `next_offset`; `offsets` are those of its messages.

    `last_digest` is that of the last of them, at the offset before `next_offset`.
    """

    name: str
    seen: int
    next_offset: int
    offsets: tuple[int, ...]
    last_digest: bytes


class Position(msgspec.Struct, frozen=True):
    """The offset to read next, and the digest of the message before it; None where nobody has read that."""

    next_offset: int
    last_digest: bytes | None


class Stream(msgspec.Struct, frozen=True):
    """How far a stream has been read; `reader` is who reads it now, or None."""

    name: str
    next_offset: int
    moved_at: datetime
    reader: str | None


class Claim:
    """The right to read a stream, for as long as a transaction of PostgreSQL lasts."""

    def __init__(self, name: str, cursor: Cursor) -> None:
        self._name, self._cursor = name, cursor

    def take(self) -> bool:
        """Whether it is ours from now on: False while another process has it."""
        lock = "SELECT pg_try_advisory_xact_lock(hashtext('otzyv stream'), hashtext(%s))"
        self._cursor.execute(lock, (self._name,))
        return bool(first_value(self._cursor, bool))

    def check(self) -> None:
        """Raises PositionLost once the transaction has ended: another process may read the stream now."""
        try:
            self._cursor.execute("SELECT true")
        except psycopg2.Error as error:
            raise PositionLost(
                f"stream {self._name}: expected the session of PostgreSQL that keeps other readers away, found it "
                "ended; reading begins anew at the stored offset"
            ) from error


@contextmanager
def claim(database: Database, name: str) -> Iterator[Claim]:
    """A transaction of its own by which a stream can be claimed; it ends with the context."""
    with database.lasting() as cursor:
        cursor.execute(_KEEPALIVES)
        yield Claim(name, cursor)


def reader(cursor: Cursor, name: str) -> str:
    """Who came last to read a stream; empty where nobody has got that far."""
    cursor.execute("SELECT reader FROM streams WHERE name = %s", (name,))
    return first_value(cursor, str) or ""


def arrive(cursor: Cursor, name: str, reader: str) -> Position | None:
    """Note who reads a stream now; returns where it is to go on, None for a stream that was never read."""
    cursor.execute(
        "UPDATE streams SET reader = %s WHERE name = %s RETURNING next_offset, last_digest", (reader, name)
    )
    row = cursor.fetchone()
    return None if row is None else Position(row[0], None if row[1] is None else bytes(row[1]))


def place(cursor: Cursor, name: str, next_offset: int, reader: str) -> None:
    """Set the offset to read next, whatever it was."""
    cursor.execute(
        """
        INSERT INTO streams (name, next_offset, reader) VALUES (%s, %s, %s) ON CONFLICT (name) DO UPDATE
        SET next_offset = excluded.next_offset, last_digest = NULL, reader = excluded.reader, moved_at = now()
        """,
        (name, next_offset, reader),
    )


def move(cursor: Cursor, step: Step, unsent: Sequence[int]) -> None:
    """Go on along a stream; `unsent` are the transaction's reviews whose first tasks will be sent after it.

    Raises PositionLost where the stream is not at `step.seen`: somebody else has read on, or set it elsewhere.
    """
    cursor.execute(
        """
        UPDATE streams SET next_offset = %s, last_digest = %s, unsent = %s, moved_at = now()
        WHERE name = %s AND next_offset = %s
        """,
        (step.next_offset, step.last_digest, list(unsent), step.name, step.seen),
    )
    if cursor.rowcount != 1:
        raise PositionLost(
            f"stream {step.name}: expected it to be at offset {step.seen}, found that another process has moved it; "
            "nothing of this was stored, and reading begins anew at the stored offset"
        )


def unsent(cursor: Cursor, name: str) -> tuple[dict[tuple[str, int], list[int]], dict[int, list[int]]]:
    """Reviews of the last transaction that still wait: by stage and taxonomy, and for predictions by taxonomy."""
    cursor.execute("SELECT unsent FROM streams WHERE name = %s", (name,))
    # As a parameter: the line is joined with no list, see `places`.
    ids = array(first_value(cursor, list) or ())
    cursor.execute(
        """
        SELECT stage, taxonomy_id, array_agg(review_id ORDER BY review_id) FROM waiting
        WHERE review_id = ANY(%s::bigint[]) GROUP BY 1, 2 ORDER BY 1, 2
        """,
        (ids,),
    )
    unlabelled = {(stage, taxonomy_id): found for stage, taxonomy_id, found in cursor.fetchall()}
    cursor.execute(
        """
        SELECT taxonomy_id, array_agg(review_id ORDER BY review_id) FROM awaiting_prediction
        WHERE sent_at IS NOT NULL AND review_id = ANY(%s::bigint[]) GROUP BY 1 ORDER BY 1
        """,
        (ids,),
    )
    return unlabelled, dict(cursor.fetchall())


def listed(cursor: Cursor) -> list[Stream]:
    """Every stream that has been read, by name."""
    cursor.execute(
        """
        SELECT name, next_offset, moved_at, CASE WHEN EXISTS (
            SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND classid::bigint = hashtext('otzyv stream')::bigint & 4294967295
              AND objid::bigint = hashtext(name)::bigint & 4294967295) THEN reader END
        FROM streams ORDER BY name
        """
    )
    return all_of(cursor, Stream)
