"""Reviews: stored once by (source, id); another text under the same name replaces the text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import NamedTuple

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.reviews.review import Review
from shared.reviews.wire import Message
from shared.store.postgres.copying import NULL, cell, copied
from shared.store.postgres.fetched import first_column
from shared.store.postgres.recordset import array, recordset


class Upserted(msgspec.Struct, frozen=True):
    """What became of the reviews of some messages.

    `ids` holds the review ids of each message. `added` are new ones, whose places in line are still to be taken;
    `in_line` are all others that wait, with the stage, to be sent. `fresh` are those that nobody knew, `known`
    the others, of which so many were `replaced`.
    """

    ids: list[list[int]]
    added: list[int]
    in_line: dict[int, str]
    fresh: list[int]
    known: list[int]
    replaced: int

    def in_order(self, chosen: Collection[int]) -> list[int]:
        """Some of them, each once, in the order in which they came."""
        return [one for one in dict.fromkeys(chain.from_iterable(self.ids)) if one in chosen]


Name = tuple[str, str]
"""Source and external id."""


class Incoming(NamedTuple):
    """A review on its way in.

    `batch_id` is that of its batch, if any; `came_at` when it came, where it was rejected then and is sent again;
    `arrived_at` when its message came to a process that works on several at once.
    """

    review: Review
    batch_id: str | None
    came_at: datetime | None
    arrived_at: datetime | None


def newest(messages: Sequence[Message]) -> dict[Name, Incoming]:
    """The reviews of messages by name: the last of several wins, but for one that was rejected before others came."""
    found: dict[Name, Incoming] = {}
    for message in messages:
        batch_id = str(message.batch.id) if message.batch else None
        came_at = None if message.origin is None else message.origin.at
        found.update(
            ((review.source, review.id), Incoming(review, batch_id, came_at, message.arrived_at))
            for review in message.reviews
            if came_at is None or _came_before(found.get((review.source, review.id)), came_at)
        )
    return found


def draw_numbers(cursor: Cursor, incoming: Mapping[Name, Incoming]) -> dict[Name, int]:
    """Numbers for reviews that may be new; those of others are used by nobody."""
    cursor.execute("SELECT nextval('reviews_id_seq') FROM generate_series(1, %s)", (len(incoming),))
    # Both in order, so that the keys of neighbours lie side by side in the indexes.
    return dict(zip(sorted(incoming), sorted(first_column(cursor)), strict=True))


def upsert(
    cursor: Cursor,
    messages: Sequence[Message],
    incoming: Mapping[Name, Incoming],
    taxonomy_id: int,
    first_stage: str,
    numbers: Mapping[Name, int],
) -> Upserted:
    """Store the reviews of messages, and put known ones without a label in line for the first stage.

    `incoming` are the `newest` of them, `numbers` are drawn for these. A review that is known with the same text
    changes no row. One that was rejected when it came, and is sent again, replaces nothing that came after it.
    Known names are locked first, then new ones are added, each in their order: two such transactions do not wait for
    each other in a circle, unless a third has just stored the same new names.
    """
    ids, added, fresh, replaced = _store(cursor, incoming, taxonomy_id, first_stage, numbers)
    known = sorted({*ids.values()}.difference(fresh))
    others = dict.fromkeys(set(fresh).difference(added), first_stage)
    others |= _line_up(cursor, known, replaced, taxonomy_id, first_stage)
    of_messages = [[ids[review.source, review.id] for review in message.reviews] for message in messages]
    return Upserted(of_messages, added, others, fresh, known, len(replaced))


def _came_before(other: Incoming | None, came_at: datetime) -> bool:
    return other is None or (other.came_at is not None and other.came_at <= came_at)


def _store(
    cursor: Cursor,
    newest: Mapping[Name, Incoming],
    taxonomy_id: int,
    first_stage: str,
    numbers: Mapping[Name, int],
) -> tuple[dict[Name, int], list[int], list[int], list[int]]:
    """Add, replace or leave reviews as they are: all ids by name; of those added, of all new ones, of replaced ones."""
    names = sorted(newest)
    known = _hold_known(cursor, names)
    unknown = [name for name in names if name not in known and newest[name].came_at is None]
    ids = _add(cursor, {numbers[name]: newest[name] for name in unknown})
    added = list(ids.values())
    ids.update(
        (name, review_id) for name, (review_id, sha) in known.items() if sha == newest[name].review.text_sha
    )
    written = _write(cursor, [newest[name] for name in names if name not in ids], taxonomy_id, first_stage)
    ids.update({(source, external_id): review_id for review_id, _, source, external_id in written})
    replaced = [review_id for review_id, revision, _, _ in written if revision > 1]
    fresh = added + [review_id for review_id, revision, _, _ in written if revision == 1]
    # What is left has been stored by another process meanwhile, with the same text, or came later; writing has locked
    # it.
    late = _hold_known(cursor, [name for name in names if name not in ids])
    ids.update((name, review_id) for name, (review_id, _) in late.items())
    return ids, added, fresh, replaced


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


def _add(cursor: Cursor, incoming: Mapping[int, Incoming]) -> dict[Name, int]:
    """Add reviews that nobody knows, by their numbers; nothing where one has been stored meanwhile."""
    lines = []
    for number, (review, batch_id, _, arrived_at) in incoming.items():
        created_at = NULL if review.created_at is None else review.created_at.isoformat()
        meta = NULL if review.meta is None else cell(review.meta)
        lines.append(
            f"{number}\t{cell(review.source)}\t{cell(review.id)}\t{cell(review.text)}\t\\\\x{review.text_sha}\t"
            f"{created_at}\t{meta}\t{batch_id or NULL}\t{arrived_at or 'now'}\n".encode()
        )
    columns = "id, source, external_id, text, text_sha, created_at, meta, batch_id, received_at"
    if not copied(cursor, "reviews", columns, lines):
        return {}
    return {(one.review.source, one.review.id): number for number, one in incoming.items()}


# Of two texts that came one after the other and are stored by two processes at once, the later one stays. Clocks of
# machines differ: what came more than a minute before is no neighbour, and is replaced whatever they say.
_WRITE = """
WITH written AS (
    INSERT INTO reviews (source, external_id, text, text_sha, created_at, meta, batch_id, came_at, received_at)
    SELECT source, external_id, text, decode(text_sha, 'hex'), created_at, meta, batch_id, came_at,
        coalesce(arrived_at, now())
    FROM json_to_recordset(%s) AS i (source text, external_id text, text text, text_sha text,
        created_at timestamptz, meta jsonb, batch_id uuid, came_at timestamptz, arrived_at timestamptz)
    ON CONFLICT (source, external_id) DO UPDATE
    SET text = excluded.text, text_sha = excluded.text_sha, revision = reviews.revision + 1,
        created_at = excluded.created_at, meta = excluded.meta, batch_id = excluded.batch_id,
        received_at = excluded.received_at, came_at = excluded.came_at
    WHERE reviews.text_sha <> excluded.text_sha AND CASE WHEN excluded.came_at IS NULL
        THEN NOT (%s AND reviews.received_at BETWEEN excluded.received_at + interval '1 microsecond'
            AND excluded.received_at + interval '1 minute')
        ELSE coalesce(reviews.came_at <= excluded.came_at, reviews.received_at < excluded.came_at) END
    RETURNING id, revision, source, external_id),
in_line AS (
    INSERT INTO waiting (review_id, taxonomy_id, revision, stage)
    SELECT id, %s, revision, %s FROM written WHERE revision = 1)
SELECT id, revision, source, external_id FROM written
"""


def _write(
    cursor: Cursor, incoming: Sequence[Incoming], taxonomy_id: int, first_stage: str
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
            "arrived_at": arrived_at,
        }
        for review, batch_id, came_at, arrived_at in incoming
    ]
    keeps_order = all(one.arrived_at is not None for one in incoming)
    cursor.execute(_WRITE, (recordset(rows), keeps_order, taxonomy_id, first_stage))
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
) -> dict[int, str]:
    """Put reviews that were known before in line where they have no label; who of them waits, and for which stage."""
    if not known:
        return {}
    # Wait until no stage works on these reviews, so that what follows sees the labels they have by then.
    cursor.execute(
        "SELECT FROM waiting WHERE review_id = ANY(%s) ORDER BY review_id, taxonomy_id FOR UPDATE", (known,)
    )
    if replaced:
        cursor.execute(_START_ANEW, {"ids": replaced, "stage": first_stage})
    cursor.execute(_WAIT, {"ids": known, "taxonomy": taxonomy_id, "stage": first_stage})
    cursor.execute(
        "SELECT review_id, stage FROM waiting WHERE review_id = ANY(%s) AND taxonomy_id = %s",
        (known, taxonomy_id),
    )
    return dict(cursor.fetchall())


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
