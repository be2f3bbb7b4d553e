"""Reviews: stored once by (source, id); another text under the same name replaces the text."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Final, NamedTuple

import msgspec
from psycopg2.errors import UniqueViolation
from psycopg2.extensions import cursor as Cursor

from shared.reviews.review import Review
from shared.reviews.wire import Message
from shared.store.postgres import copying
from shared.store.postgres.copying import cell, copied, copy, text_cell
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


class NamesTaken(Exception):
    """Somebody has stored a review of the same name: the transaction is over, and may begin anew, with care."""


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


# Nearly always they follow each other, so that the ends tell all of them.
_DRAW = """
SELECT min(n), max(n), CASE WHEN max(n) - min(n) >= count(*) THEN array_agg(n) END
FROM (SELECT nextval('reviews_id_seq') AS n FROM generate_series(1, %s)) AS drawn
"""


def draw_numbers(cursor: Cursor, incoming: Mapping[Name, Incoming]) -> dict[Name, int]:
    """Numbers for reviews that may be new, in the order of the names; those of others are used by nobody."""
    cursor.execute(_DRAW, (len(incoming),))
    first, last, scattered = cursor.fetchone() or (1, 0, None)
    # Both in order, so that the keys of neighbours lie side by side in the indexes.
    found = range(first or 1, (last or 0) + 1) if scattered is None else sorted(scattered)
    return dict(zip(sorted(incoming), found, strict=True))


def upsert(
    cursor: Cursor,
    messages: Sequence[Message],
    incoming: Mapping[Name, Incoming],
    taxonomy_id: int,
    first_stage: str,
    numbers: Mapping[Name, int],
    *,
    careful: bool = True,
    again: bool = False,
) -> Upserted:
    """Store the reviews of messages, and put known ones without a label in line for the first stage.

    `incoming` are the `newest` of them, `numbers` are drawn for these. A review that is known with the same text
    changes no row. One that was rejected when it came, and is sent again, replaces nothing that came after it.
    Known names are locked first, then new ones are added, each in their order: two such transactions do not wait for
    each other in a circle, unless a third has just stored the same new names. Unless this is done `careful`, all names
    are taken for new, which spares PostgreSQL a sixth of the work; raises NamesTaken where one is not. Where messages
    come `again`, a text that has been stored and replaced meanwhile is most likely the same message's, and stays
    replaced.
    """
    if careful:
        ids, added, fresh, replaced = _store(cursor, incoming, taxonomy_id, first_stage, numbers, again=again)
    else:
        ids = _add(cursor, incoming, {**numbers}, careful=False)
        added = fresh = list(ids.values())
        replaced = []
    known = sorted({*ids.values()}.difference(fresh)) if len(fresh) < len(ids) else []
    others = dict.fromkeys(set(fresh).difference(added), first_stage) if len(added) < len(fresh) else {}
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
    *,
    again: bool,
) -> tuple[dict[Name, int], list[int], list[int], list[int]]:
    """Add, replace or leave reviews as they are: all ids by name; of those added, of all new ones, of replaced ones."""
    names = list(numbers)
    incoming = map(newest.__getitem__, names)
    known = _hold_known(cursor, names)
    unknown = {
        name: number
        for (name, number), one in zip(numbers.items(), incoming, strict=True)
        if one.came_at is None and name not in known
    }
    ids = _add(cursor, newest, unknown, careful=True)
    added = list(ids.values())
    if len(ids) == len(names):
        return ids, added, added, []
    ids.update(
        (name, review_id) for name, (review_id, sha) in known.items() if sha == newest[name].review.text_sha
    )
    unwritten = [newest[name] for name in names if name not in ids]
    written = _write(cursor, unwritten, taxonomy_id, first_stage, again=again)
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


_COLUMNS: Final = ("id", "source", "external_id", "text", "text_sha", "created_at", "meta", "batch_id")
_HEAD: Final = struct.Struct("!hiq").pack
_SHA_BYTES: Final = copying.number_cell(32)


def _add(
    cursor: Cursor, incoming: Mapping[Name, Incoming], numbers: dict[Name, int], *, careful: bool
) -> dict[Name, int]:
    """Add reviews that nobody knows by their numbers, and return these.

    Where one has been stored meanwhile, nothing with care, else raises NamesTaken.
    """
    if not numbers:
        return numbers
    chosen = [incoming[name] for name in numbers]
    # The server's clock says when those came that no process has held in its hands.
    has_arrived = all(one.arrived_at is not None for one in chosen)
    columns = ", ".join((*_COLUMNS, "received_at") if has_arrived else _COLUMNS)
    rows = _rows(numbers.values(), chosen, has_arrived)
    if careful:
        return numbers if copied(cursor, "reviews", columns, rows) else {}
    try:
        copy(cursor, "reviews", columns, rows)
    except UniqueViolation as error:
        raise NamesTaken from error
    return numbers


def _rows(numbers: Iterable[int], incoming: Iterable[Incoming], has_arrived: bool) -> list[bytes]:
    """Rows for COPY. What the reviews of a message have in common is made once."""
    count = len(_COLUMNS) + has_arrived
    ends: dict[tuple[str | None, datetime | None], bytes] = {}
    sources: dict[str, bytes] = {}
    rows: list[bytes] = []
    for number, (review, batch_id, _, arrived_at) in zip(numbers, incoming, strict=True):
        source, external_id, text, created_at, meta = msgspec.structs.astuple(review)
        end = ends.get((batch_id, arrived_at))
        if end is None:
            end = copying.uuid_cell(batch_id) + (copying.moment_cell(arrived_at) if has_arrived else b"")
            ends[batch_id, arrived_at] = end
        named = sources.get(source)
        if named is None:
            named = sources[source] = text_cell(source)
        written = text.encode()
        rows += (
            _HEAD(count, 8, number),
            named,
            text_cell(external_id),
            cell(written),
            _SHA_BYTES,
            hashlib.sha256(written).digest(),
            copying.moment_cell(created_at),
            copying.jsonb_cell(meta),
            end,
        )
    return rows


# Of two texts that came one after the other and are stored by two processes at once, the later one stays. Clocks of
# machines differ: what came more than a minute before is no neighbour, and is replaced whatever they say. What comes
# again keeps the moment at which it came while its process lives; after that it has been minutes at most.
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
            AND NOT (%s AND EXISTS (
                SELECT FROM review_history h WHERE h.review_id = reviews.id AND h.text_sha = excluded.text_sha
                AND h.received_at > excluded.received_at - interval '10 minutes'))
        ELSE coalesce(reviews.came_at <= excluded.came_at, reviews.received_at < excluded.came_at) END
    RETURNING id, revision, source, external_id),
in_line AS (
    INSERT INTO waiting (review_id, taxonomy_id, revision, stage)
    SELECT id, %s, revision, %s FROM written WHERE revision = 1)
SELECT id, revision, source, external_id FROM written
"""


def _write(
    cursor: Cursor, incoming: Sequence[Incoming], taxonomy_id: int, first_stage: str, *, again: bool
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
    cursor.execute(_WRITE, (recordset(rows), keeps_order, again, taxonomy_id, first_stage))
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
