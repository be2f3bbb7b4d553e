"""Reviews: stored once by (source, id); another text under the same name replaces the text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.reviews.review import Review
from shared.store.postgres.copying import NULL, cell, copied, copy
from shared.store.postgres.recordset import array, recordset


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """A review on its way in; `part` numbers the message (in this transaction) that brought it."""

    review: Review
    part: int = 0
    batch_id: str | None = None


class Stored(msgspec.Struct, frozen=True):
    """What became of a transaction's reviews.

    `ids` holds the review ids of each part; `first_stage` the ids that wait for the first stage, to be sent,
    `unpredicted` those that await a prediction. `fresh` are those that nobody knew, `known` the others.
    """

    ids: dict[int, list[int]]
    first_stage: list[int]
    replaced: int
    unpredicted: list[int] = []
    fresh: list[int] = []
    known: list[int] = []

    @property
    def new(self) -> int:
        """How many reviews nobody knew."""
        return len(self.fresh)


class _ReviewRow(msgspec.Struct, frozen=True, gc=False):
    """A review as the statement reads it; `text_sha` is in hex."""

    source: str
    external_id: str
    text: str
    text_sha: str
    created_at: datetime | None
    meta: msgspec.Raw | None
    batch_id: str | None


Name = tuple[str, str]
"""Source and external id."""


class _Name(msgspec.Struct, frozen=True, gc=False):
    """A name as the statement reads it."""

    source: str
    external_id: str


class _Known(msgspec.Struct, frozen=True, gc=False):
    """A review that is stored; `text_sha` is in hex."""

    review_id: int
    text_sha: str


def upsert(cursor: Cursor, incoming: Sequence[Incoming], taxonomy_id: int, first_stage: str) -> Stored:
    """Store reviews and put those without a label in line for the first stage, in one transaction.

    A review that is known with the same text changes no row. The last of several with one name wins.
    Known names are locked first, then new ones are added, each in their order: two such transactions do not wait for
    each other in a circle, unless a third has just stored the same new names.
    """
    newest = {(item.review.source, item.review.id): item for item in incoming}
    ids, fresh, replaced = _store(cursor, newest, taxonomy_id, first_stage)
    before = sorted({*ids.values()}.difference(fresh))
    in_line = {*fresh, *_line_up(cursor, before, replaced, taxonomy_id, first_stage)}
    parts: dict[int, list[int]] = {}
    for item in incoming:
        parts.setdefault(item.part, []).append(ids[item.review.source, item.review.id])
    in_order = dict.fromkeys(chain.from_iterable(parts.values()))
    return Stored(
        parts,
        [review_id for review_id in in_order if review_id in in_line],
        len(replaced),
        fresh=fresh,
        known=before,
    )


def _store(
    cursor: Cursor, newest: Mapping[Name, Incoming], taxonomy_id: int, first_stage: str
) -> tuple[dict[Name, int], list[int], list[int]]:
    """Add, replace or leave reviews as they are: all their ids by name, those of new ones, and of replaced ones."""
    names = sorted(newest)
    known = _hold_known(cursor, names)
    ids = _add(cursor, [newest[name] for name in names if name not in known], taxonomy_id, first_stage)
    fresh = list(ids.values())
    ids.update(
        (name, one.review_id) for name, one in known.items() if one.text_sha == newest[name].review.text_sha
    )
    written = _write(cursor, [newest[name] for name in names if name not in ids], taxonomy_id, first_stage)
    ids.update({(source, external_id): review_id for review_id, _, source, external_id in written})
    replaced = [review_id for review_id, revision, _, _ in written if revision > 1]
    fresh += [review_id for review_id, revision, _, _ in written if revision == 1]
    # What is left has been stored by another process meanwhile, with the same text; writing has locked it.
    late = _hold_known(cursor, [name for name in names if name not in ids])
    ids.update((name, one.review_id) for name, one in late.items())
    return ids, fresh, replaced


def _hold_known(cursor: Cursor, names: Sequence[Name]) -> dict[Name, _Known]:
    """Those of the named reviews that are stored: nobody replaces or deletes them until the transaction ends."""
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
        (recordset([_Name(*name) for name in names]),),
    )
    return {
        (source, external_id): _Known(review_id, sha)
        for source, external_id, review_id, sha in cursor.fetchall()
    }


def _add(cursor: Cursor, items: Sequence[Incoming], taxonomy_id: int, first_stage: str) -> dict[Name, int]:
    """Add reviews that nobody knows, with their places in line; nothing where one has been stored meanwhile."""
    if not items:
        return {}
    cursor.execute("SELECT nextval('reviews_id_seq') FROM generate_series(1, %s)", (len(items),))
    numbers = sorted(row[0] for row in cursor.fetchall())
    added = copied(
        cursor,
        "reviews",
        "id, source, external_id, text, text_sha, created_at, meta, batch_id",
        [_line(number, item) for number, item in zip(numbers, items, strict=True)],
    )
    if not added:
        return {}
    end = f"\t{taxonomy_id}\t1\t{first_stage}\n"
    copy(
        cursor,
        "waiting",
        "review_id, taxonomy_id, revision, stage",
        [f"{number}{end}".encode() for number in numbers],
    )
    return {(item.review.source, item.review.id): number for number, item in zip(numbers, items, strict=True)}


def _line(number: int, item: Incoming) -> bytes:
    review = item.review
    created_at, meta = (
        NULL if review.created_at is None else review.created_at.isoformat(),
        NULL if review.meta is None else cell(review.meta),
    )
    return (
        f"{number}\t{cell(review.source)}\t{cell(review.id)}\t{cell(review.text)}\t\\\\x{review.text_sha}\t"
        f"{created_at}\t{meta}\t{item.batch_id or NULL}\n"
    ).encode()


def _write(
    cursor: Cursor, items: Sequence[Incoming], taxonomy_id: int, first_stage: str
) -> list[tuple[int, int, str, str]]:
    """Insert or replace reviews; those that nobody knew get their place in line, since nothing can be known of them.

    Returns id, revision, source and external id of what was written.
    """
    if not items:
        return []
    cursor.execute(
        """
        WITH written AS (
            INSERT INTO reviews (source, external_id, text, text_sha, created_at, meta, batch_id)
            SELECT source, external_id, text, decode(text_sha, 'hex'), created_at, meta, batch_id
            FROM json_to_recordset(%s) AS i (source text, external_id text, text text, text_sha text,
                created_at timestamptz, meta jsonb, batch_id uuid)
            ON CONFLICT (source, external_id) DO UPDATE
            SET text = excluded.text, text_sha = excluded.text_sha, revision = reviews.revision + 1,
                created_at = excluded.created_at, meta = excluded.meta, batch_id = excluded.batch_id,
                received_at = now()
            WHERE reviews.text_sha <> excluded.text_sha
            RETURNING id, revision, source, external_id),
        in_line AS (
            INSERT INTO waiting (review_id, taxonomy_id, revision, stage)
            SELECT id, %s, revision, %s FROM written WHERE revision = 1)
        SELECT id, revision, source, external_id FROM written
        """,
        (recordset([_row(item) for item in items]), taxonomy_id, first_stage),
    )
    return cursor.fetchall()


def _row(item: Incoming) -> _ReviewRow:
    review = item.review
    meta = None if review.meta is None else msgspec.Raw(review.meta.encode())
    return _ReviewRow(
        review.source, review.id, review.text, review.text_sha, review.created_at, meta, item.batch_id
    )


def _line_up(
    cursor: Cursor, known: list[int], replaced: list[int], taxonomy_id: int, first_stage: str
) -> list[int]:
    """Put reviews that were known before in line where they have no label; those of them that wait for the stage."""
    if not known:
        return []
    _lock(cursor, known)
    if replaced:
        _forget_labels(cursor, replaced, first_stage)
    _wait_for(cursor, known, taxonomy_id, first_stage)
    cursor.execute(
        "SELECT review_id FROM waiting WHERE review_id = ANY(%s) AND taxonomy_id = %s AND stage = %s",
        (known, taxonomy_id, first_stage),
    )
    return [row[0] for row in cursor.fetchall()]


def _lock(cursor: Cursor, review_ids: list[int]) -> None:
    """Wait until no stage works on these reviews, so that what follows sees the labels they have by then."""
    cursor.execute(
        "SELECT FROM waiting WHERE review_id = ANY(%s) ORDER BY review_id, taxonomy_id FOR UPDATE",
        (review_ids,),
    )


def _wait_for(cursor: Cursor, review_ids: list[int], taxonomy_id: int, stage: str) -> None:
    cursor.execute(
        """
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
        """,
        {"ids": review_ids, "taxonomy": taxonomy_id, "stage": stage},
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


def hold(cursor: Cursor, review_ids: Iterable[int]) -> set[int]:
    """Keep reviews from being deleted until the transaction ends; returns those of them that are there."""
    cursor.execute(
        "SELECT id FROM reviews WHERE id = ANY(%s::bigint[]) ORDER BY id FOR KEY SHARE", (array(review_ids),)
    )
    return {row[0] for row in cursor.fetchall()}


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
