"""Reviews that await a prediction: each has a row in `awaiting_prediction` until it has one, or a failure.

No statement joins the table with a list, see `shared.store.places`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.store import places
from shared.store.places import WaitingReview
from shared.store.postgres.fetched import first_column
from shared.store.postgres.recordset import array

PREDICTED = """EXISTS (
    SELECT FROM predictions p JOIN models m ON m.id = p.model_id JOIN taxonomies t ON t.id = m.taxonomy_id
    WHERE p.review_id = r.id AND p.revision = r.revision
      AND t.name = (SELECT name FROM taxonomies WHERE id = %(taxonomy)s))
"""
"""Whether a model of the taxonomy, in any version, has predicted review `r` as it is."""

_AWAIT_KNOWN = f"""
INSERT INTO awaiting_prediction AS a (review_id, taxonomy_id, revision)
SELECT r.id, %(taxonomy)s, r.revision FROM reviews r
WHERE r.id = ANY(%(ids)s)
  AND NOT {PREDICTED}
  AND NOT EXISTS (
        SELECT FROM failures f
        WHERE f.review_id = r.id AND f.revision = r.revision AND f.queue = %(queue)s)
ORDER BY r.id
ON CONFLICT (review_id, taxonomy_id) DO UPDATE SET revision = excluded.revision, sent_at = now()
WHERE a.revision < excluded.revision
"""  # noqa: S608  a constant of this module


def await_predictions(
    cursor: Cursor, taxonomy_id: int, queue: str, fresh: Sequence[int], known: Sequence[int]
) -> list[int]:
    """Put the reviews of a transaction in line, and return all of them that are, to be sent.

    `fresh` are reviews that this transaction has stored, so nothing can be known of them. Of the others are left out
    those that a model of the taxonomy, in any version, has predicted already, and those that failed.
    """
    cursor.execute(
        """
        INSERT INTO awaiting_prediction (review_id, taxonomy_id, revision)
        SELECT id, %s, 1 FROM unnest(%s::bigint[]) AS id
        """,
        (taxonomy_id, array(fresh)),
    )
    if not known:
        return sorted(fresh)
    # Waits for a worker that is about to commit predictions of the same reviews, so that the next statement sees them.
    _hold(cursor, known, taxonomy_id)
    cursor.execute(_AWAIT_KNOWN, {"ids": list(known), "taxonomy": taxonomy_id, "queue": queue})
    cursor.execute(
        "SELECT review_id FROM awaiting_prediction WHERE taxonomy_id = %s AND review_id = ANY(%s)",
        (taxonomy_id, list(known)),
    )
    return sorted([*fresh, *first_column(cursor)])


def texts(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int) -> list[WaitingReview]:
    """The reviews among `review_ids` that await a prediction; those that have one are left out."""
    return places.texts(cursor, review_ids, taxonomy_id, None)


def _hold(cursor: Cursor, review_ids: Iterable[int], taxonomy_id: int) -> dict[int, int]:
    """Hold reviews in the line until the transaction ends, in one order everywhere; returns their revisions."""
    cursor.execute(
        """
        SELECT review_id, revision FROM awaiting_prediction
        WHERE taxonomy_id = %s AND review_id = ANY(%s::bigint[]) ORDER BY review_id FOR UPDATE
        """,
        (taxonomy_id, array(review_ids)),
    )
    return dict(cursor.fetchall())


def settle(cursor: Cursor, rows: Iterable[WaitingReview], taxonomy_id: int) -> list[WaitingReview]:
    """Take reviews out of the line; returns those that were in it with the revision that was read, or an older one.

    The others have been predicted by somebody else meanwhile, or their text was replaced. An older one: a text that is
    replaced while predictions are switched off, or for another version of the taxonomy, leaves the line as it is.
    """
    by_id = {row.review_id: row for row in rows}
    held = _hold(cursor, by_id, taxonomy_id)
    mine = [number for number, revision in held.items() if revision <= by_id[number].revision]
    places.leave(cursor, mine, taxonomy_id, "awaiting_prediction")
    return [by_id[number] for number in mine]


def park(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int) -> int:
    """Let reviews wait for a champion; returns how many do."""
    held = _hold(cursor, review_ids, taxonomy_id)
    cursor.execute(
        "UPDATE awaiting_prediction SET sent_at = NULL WHERE taxonomy_id = %s AND review_id = ANY(%s::bigint[])",
        (taxonomy_id, array(held)),
    )
    return cursor.rowcount


def parked(cursor: Cursor, taxonomy_id: int, limit: int) -> list[int]:
    """Reviews that wait for a champion, which count as sent now. Two callers at once get different ones."""
    return places.sent_now(cursor, taxonomy_id, None, "sent_at IS NULL", limit=limit)


class PredictionBacklog(msgspec.Struct, frozen=True):
    """How many reviews of a taxonomy await a prediction, and how many of them wait for a champion."""

    awaiting: int
    parked: int


def backlog(cursor: Cursor, taxonomy_id: int) -> PredictionBacklog:
    """Who awaits a prediction."""
    cursor.execute(
        "SELECT count(*), count(*) FILTER (WHERE sent_at IS NULL) FROM awaiting_prediction WHERE taxonomy_id = %s",
        (taxonomy_id,),
    )
    return PredictionBacklog(*(cursor.fetchone() or (0, 0)))
