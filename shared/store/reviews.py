"""Reviews: stored once by (source, id); another text under the same name replaces the text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.reviews.review import Review
from shared.reviews.wire import Message
from shared.store.postgres.copying import NULL, cell, copied, copy
from shared.store.postgres.fetched import first_column
from shared.store.postgres.recordset import array, recordset


class Upserted(msgspec.Struct, frozen=True):
    """What became of the reviews of some messages.

    `ids` holds the review ids of each message; `first_stage` those that wait for the first stage, to be sent. `fresh`
    are those that nobody knew, `known` the others, of which so many were `replaced`.
    """

    ids: list[list[int]]
    first_stage: list[int]
    fresh: list[int]
    known: list[int]
    replaced: int


Name = tuple[str, str]
"""Source and external id."""

_Incoming = tuple[Review, str | None, datetime | None]
"""A review on its way in, the id of its batch, if any, and when it came, where it was rejected then."""


def upsert(cursor: Cursor, messages: Sequence[Message], taxonomy_id: int, first_stage: str) -> Upserted:
    """Store reviews and put those without a label in line for the first stage, in one transaction.

    A review that is known with the same text changes no row. The last of several with one name wins; one that was
    rejected when it came, and is sent again, replaces nothing that came after it.
    Known names are locked first, then new ones are added, each in their order: two such transactions do not wait for
    each other in a circle, unless a third has just stored the same new names.
    """
    newest: dict[Name, _Incoming] = {}
    for message in messages:
        batch_id = str(message.batch.id) if message.batch else None
        came_at = None if message.origin is None else message.origin.at
        newest.update(
            ((review.source, review.id), (review, batch_id, came_at))
            for review in message.reviews
            if came_at is None or _came_before(newest.get((review.source, review.id)), came_at)
        )
    ids, fresh, replaced = _store(cursor, newest, taxonomy_id, first_stage)
    known = sorted({*ids.values()}.difference(fresh))
    in_line = {*fresh, *_line_up(cursor, known, replaced, taxonomy_id, first_stage)}
    of_messages = [[ids[review.source, review.id] for review in message.reviews] for message in messages]
    in_order = dict.fromkeys(chain.from_iterable(of_messages))
    to_send = [review_id for review_id in in_order if review_id in in_line]
    return Upserted(of_messages, to_send, fresh, known, len(replaced))


def _came_before(other: _Incoming | None, came_at: datetime) -> bool:
    return other is None or (other[2] is not None and other[2] <= came_at)


def _store(
    cursor: Cursor, newest: Mapping[Name, _Incoming], taxonomy_id: int, first_stage: str
) -> tuple[dict[Name, int], list[int], list[int]]:
    """Add, replace or leave reviews as they are: all their ids by name, those of new ones, and of replaced ones."""
    names = sorted(newest)
    known = _hold_known(cursor, names)
    unknown = [newest[name] for name in names if name not in known and newest[name][2] is None]
    ids = _add(cursor, unknown, taxonomy_id, first_stage)
    fresh = list(ids.values())
    ids.update(
        (name, review_id) for name, (review_id, sha) in known.items() if sha == newest[name][0].text_sha
    )
    written = _write(cursor, [newest[name] for name in names if name not in ids], taxonomy_id, first_stage)
    ids.update({(source, external_id): review_id for review_id, _, source, external_id in written})
    replaced = [review_id for review_id, revision, _, _ in written if revision > 1]
    fresh += [review_id for review_id, revision, _, _ in written if revision == 1]
    # What is left has been stored by another process meanwhile, with the same text, or came later; writing has locked
    # it.
    late = _hold_known(cursor, [name for name in names if name not in ids])
    ids.update((name, review_id) for name, (review_id, _) in late.items())
    return ids, fresh, replaced


def _hold_known(cursor: Cursor, names: Sequence[Name]) -> dict[Name, tuple[int, str]]:
    """Ids and texts, as SHA-256 in hex, of the named reviews that are stored.

    Nobody replaces or deletes them until the transaction ends.
    """
    if not names:
        return {}
    # Each by the index, and locked in the order of the names: a join may be planned as a walk through all reviews.
    cursor.execute(
        """
        SELECT r.source, r.external_id, r.id, encode(r.text_sha, 'hex')
        FROM json_to_recordset(%s) AS name (source text, external_id text),
            LATERAL (
                SELECT * FROM reviews WHERE (source, external_id) = (name.source, name.external_id)
                FOR NO KEY UPDATE) r
        """,
        (recordset([{"source": source, "external_id": external_id} for source, external_id in names]),),
    )
    return {
        (source, external_id): (review_id, sha) for source, external_id, review_id, sha in cursor.fetchall()
    }


def _add(
    cursor: Cursor, incoming: Sequence[_Incoming], taxonomy_id: int, first_stage: str
) -> dict[Name, int]:
    """Add reviews that nobody knows, with their places in line; nothing where one has been stored meanwhile."""
    if not incoming:
        return {}
    cursor.execute("SELECT nextval('reviews_id_seq') FROM generate_series(1, %s)", (len(incoming),))
    numbers = sorted(first_column(cursor))
    lines = []
    for number, (review, batch_id, _) in zip(numbers, incoming, strict=True):
        created_at = NULL if review.created_at is None else review.created_at.isoformat()
        meta = NULL if review.meta is None else cell(review.meta)
        lines.append(
            f"{number}\t{cell(review.source)}\t{cell(review.id)}\t{cell(review.text)}\t\\\\x{review.text_sha}\t"
            f"{created_at}\t{meta}\t{batch_id or NULL}\n".encode()
        )
    columns = "id, source, external_id, text, text_sha, created_at, meta, batch_id"
    if not copied(cursor, "reviews", columns, lines):
        return {}
    end = f"\t{taxonomy_id}\t1\t{first_stage}\n"
    places = [f"{number}{end}".encode() for number in numbers]
    copy(cursor, "waiting", "review_id, taxonomy_id, revision, stage", places)
    return {
        (review.source, review.id): number for number, (review, *_) in zip(numbers, incoming, strict=True)
    }


_WRITE = """
WITH written AS (
    INSERT INTO reviews (source, external_id, text, text_sha, created_at, meta, batch_id, came_at)
    SELECT source, external_id, text, decode(text_sha, 'hex'), created_at, meta, batch_id, came_at
    FROM json_to_recordset(%s) AS i (source text, external_id text, text text, text_sha text,
        created_at timestamptz, meta jsonb, batch_id uuid, came_at timestamptz)
    ON CONFLICT (source, external_id) DO UPDATE
    SET text = excluded.text, text_sha = excluded.text_sha, revision = reviews.revision + 1,
        created_at = excluded.created_at, meta = excluded.meta, batch_id = excluded.batch_id,
        received_at = now(), came_at = excluded.came_at
    WHERE reviews.text_sha <> excluded.text_sha AND (excluded.came_at IS NULL
        OR coalesce(reviews.came_at <= excluded.came_at, reviews.received_at < excluded.came_at))
    RETURNING id, revision, source, external_id),
in_line AS (
    INSERT INTO waiting (review_id, taxonomy_id, revision, stage)
    SELECT id, %s, revision, %s FROM written WHERE revision = 1)
SELECT id, revision, source, external_id FROM written
"""


def _write(
    cursor: Cursor, incoming: Sequence[_Incoming], taxonomy_id: int, first_stage: str
) -> list[tuple[int, int, str, str]]:
    """Insert or replace reviews; those that nobody knew get their place in line, since nothing can be known of them.

    Returns id, revision, source and external id of what was written.
    """
    if not incoming:
        return []
    rows: list[dict[str, object]] = [
        {
            "source": review.source,
            "external_id": review.id,
            "text": review.text,
            "text_sha": review.text_sha,
            "created_at": review.created_at,
            "meta": None if review.meta is None else msgspec.Raw(review.meta.encode()),
            "batch_id": batch_id,
            "came_at": came_at,
        }
        for review, batch_id, came_at in incoming
    ]
    cursor.execute(_WRITE, (recordset(rows), taxonomy_id, first_stage))
    return cursor.fetchall()


# Where there is neither a label nor a failure for the present text.
_WAIT = """
INSERT INTO waiting (review_id, taxonomy_id, revision, stage)
SELECT r.id, %(taxonomy)s, r.revision, %(stage)s FROM reviews r
WHERE r.id = ANY(%(ids)s)
  AND NOT EXISTS (
        SELECT FROM labels l
        WHERE l.review_id = r.id AND l.taxonomy_id = %(taxonomy)s AND l.revision = r.revision)
  AND NOT EXISTS (
        SELECT FROM failures f
        WHERE f.review_id = r.id AND f.taxonomy_id = %(taxonomy)s AND f.revision = r.revision)
ORDER BY r.id
ON CONFLICT (review_id, taxonomy_id) DO UPDATE
SET revision = excluded.revision, stage = excluded.stage, since = now(), sent_at = now()
WHERE waiting.revision < excluded.revision
"""

# Labels of a replaced text move to the history (a trigger), and every taxonomy that had one starts anew.
_START_ANEW = """
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
"""


def _line_up(
    cursor: Cursor, known: list[int], replaced: list[int], taxonomy_id: int, first_stage: str
) -> list[int]:
    """Put reviews that were known before in line where they have no label; those of them that wait for the stage."""
    if not known:
        return []
    # Wait until no stage works on these reviews, so that what follows sees the labels they have by then.
    cursor.execute(
        "SELECT FROM waiting WHERE review_id = ANY(%s) ORDER BY review_id, taxonomy_id FOR UPDATE", (known,)
    )
    if replaced:
        cursor.execute(_START_ANEW, {"ids": replaced, "stage": first_stage})
    cursor.execute(_WAIT, {"ids": known, "taxonomy": taxonomy_id, "stage": first_stage})
    cursor.execute(
        "SELECT review_id FROM waiting WHERE review_id = ANY(%s) AND taxonomy_id = %s AND stage = %s",
        (known, taxonomy_id, first_stage),
    )
    return first_column(cursor)


def hold(cursor: Cursor, review_ids: Iterable[int]) -> set[int]:
    """Keep reviews from being deleted until the transaction ends; returns those of them that are there."""
    cursor.execute(
        "SELECT id FROM reviews WHERE id = ANY(%s::bigint[]) ORDER BY id FOR KEY SHARE", (array(review_ids),)
    )
    return set(first_column(cursor))


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


def newest_texts(cursor: Cursor, most: int) -> list[str]:
    """The present texts of the newest reviews, the newest last."""
    cursor.execute("SELECT text FROM reviews ORDER BY id DESC LIMIT %s", (most,))
    return [text for (text,) in reversed(cursor.fetchall())]
