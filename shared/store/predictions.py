"""Reviews that await a prediction, and the predictions: one current row for each review and model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.store.places import WaitingReview
from shared.store.postgres.recordset import array, recordset


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """What a model says about one text. `probabilities` are in the order of the model's labels."""

    review_id: int
    revision: int
    category: str
    confidence: float
    truncated: bool
    probabilities: Sequence[float]


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
    return sorted([*fresh, *_await_known(cursor, taxonomy_id, queue, list(known))])


def _await_known(cursor: Cursor, taxonomy_id: int, queue: str, review_ids: list[int]) -> list[int]:
    if not review_ids:
        return []
    # Waits for a worker that is about to commit predictions of the same reviews, so that the next statement sees them.
    cursor.execute(
        """
        SELECT FROM awaiting_prediction WHERE taxonomy_id = %s AND review_id = ANY(%s) ORDER BY review_id FOR UPDATE
        """,
        (taxonomy_id, review_ids),
    )
    cursor.execute(
        """
        INSERT INTO awaiting_prediction AS a (review_id, taxonomy_id, revision)
        SELECT r.id, %(taxonomy)s, r.revision FROM reviews r
        WHERE r.id = ANY(%(ids)s)
          AND NOT EXISTS (
                SELECT FROM predictions p JOIN models m ON m.id = p.model_id JOIN taxonomies t ON t.id = m.taxonomy_id
                WHERE p.review_id = r.id AND p.revision = r.revision
                  AND t.name = (SELECT name FROM taxonomies WHERE id = %(taxonomy)s))
          AND NOT EXISTS (
                SELECT FROM failures f
                WHERE f.review_id = r.id AND f.revision = r.revision AND f.queue = %(queue)s)
        ORDER BY r.id
        ON CONFLICT (review_id, taxonomy_id) DO UPDATE SET revision = excluded.revision, sent_at = now()
        WHERE a.revision < excluded.revision
        """,
        {"ids": review_ids, "taxonomy": taxonomy_id, "queue": queue},
    )
    cursor.execute(
        "SELECT review_id FROM awaiting_prediction WHERE taxonomy_id = %s AND review_id = ANY(%s)",
        (taxonomy_id, review_ids),
    )
    return [row[0] for row in cursor.fetchall()]


def texts(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int) -> list[WaitingReview]:
    """The reviews among `review_ids` that await a prediction; those that have one are left out."""
    cursor.execute(
        """
        SELECT r.id, r.revision, r.text, extract(epoch FROM now() - r.received_at)::float8
        FROM awaiting_prediction a JOIN reviews r ON r.id = a.review_id
        WHERE a.taxonomy_id = %s AND a.review_id = ANY(%s::bigint[]) ORDER BY r.id
        """,
        (taxonomy_id, array(review_ids)),
    )
    return [WaitingReview(*row) for row in cursor.fetchall()]


def write(cursor: Cursor, rows: Sequence[Prediction], model_id: int) -> None:
    """Record a model's predictions. The same again changes no row; one about an older text than is stored neither."""
    cursor.execute(
        """
        INSERT INTO predictions AS p (review_id, model_id, revision, category, confidence, truncated, probabilities)
        SELECT review_id, %s, revision, category, confidence, truncated, probabilities
        FROM json_to_recordset(%s) AS i (review_id bigint, revision integer, category text, confidence real,
            truncated boolean, probabilities real[])
        ORDER BY review_id
        ON CONFLICT (review_id, model_id) DO UPDATE
        SET revision = excluded.revision, category = excluded.category, confidence = excluded.confidence,
            truncated = excluded.truncated, probabilities = excluded.probabilities, at = now()
        WHERE p.revision < excluded.revision
        """,
        (model_id, recordset(rows)),
    )


def settle(cursor: Cursor, rows: Iterable[WaitingReview], taxonomy_id: int) -> list[WaitingReview]:
    """Take reviews out of the line; returns those that were in it with the revision that was read, or an older one.

    The others have been predicted by somebody else meanwhile, or their text was replaced. An older one: a text that is
    replaced while predictions are switched off, or for another version of the taxonomy, leaves the line as it is.
    """
    # No join of the line with a list, see `shared.store.places`.
    by_id = {row.review_id: row for row in rows}
    cursor.execute(
        """
        SELECT review_id, revision FROM awaiting_prediction
        WHERE taxonomy_id = %s AND review_id = ANY(%s::bigint[]) ORDER BY review_id FOR UPDATE
        """,
        (taxonomy_id, array(by_id)),
    )
    mine = [number for number, revision in cursor.fetchall() if revision <= by_id[number].revision]
    cursor.execute(
        "DELETE FROM awaiting_prediction WHERE taxonomy_id = %s AND review_id = ANY(%s::bigint[])",
        (taxonomy_id, array(mine)),
    )
    return [by_id[number] for number in mine]


def park(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int) -> int:
    """Let reviews wait for a champion; returns how many do."""
    cursor.execute(
        """
        SELECT review_id FROM awaiting_prediction
        WHERE taxonomy_id = %s AND review_id = ANY(%s::bigint[]) ORDER BY review_id FOR UPDATE
        """,
        (taxonomy_id, array(review_ids)),
    )
    return len(_send_at(cursor, "NULL", taxonomy_id))


def in_line(cursor: Cursor) -> list[int]:
    """The taxonomies for which reviews await predictions."""
    cursor.execute("SELECT DISTINCT taxonomy_id FROM awaiting_prediction ORDER BY 1")
    return [row[0] for row in cursor.fetchall()]


def parked(cursor: Cursor, taxonomy_id: int, limit: int) -> list[int]:
    """Reviews that wait for a champion, which count as sent now. Two callers at once get different ones."""
    return _due(cursor, "sent_at IS NULL", (taxonomy_id, limit))


def overdue(cursor: Cursor, taxonomy_id: int, after_s: int, limit: int) -> list[int]:
    """Reviews whose message was sent more than `after_s` seconds ago, which count as sent now."""
    return _due(cursor, "sent_at < now() - make_interval(secs => %s)", (taxonomy_id, after_s, limit))


def _due(cursor: Cursor, condition: str, values: tuple[int, ...]) -> list[int]:
    cursor.execute(
        f"""
        SELECT review_id FROM awaiting_prediction
        WHERE taxonomy_id = %s AND {condition} ORDER BY review_id LIMIT %s FOR UPDATE SKIP LOCKED
        """,  # noqa: S608  conditions are constants of this module
        values,
    )
    return _send_at(cursor, "now()", values[0])


def keep_place(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int) -> None:
    """Their message counts as sent now, so that they are not overdue. Waits for no other transaction."""
    cursor.execute(
        """
        SELECT review_id FROM awaiting_prediction
        WHERE taxonomy_id = %s AND review_id = ANY(%s::bigint[]) AND sent_at IS NOT NULL
        ORDER BY review_id FOR UPDATE SKIP LOCKED
        """,
        (taxonomy_id, array(review_ids)),
    )
    _send_at(cursor, "now()", taxonomy_id)


def _send_at(cursor: Cursor, moment: str, taxonomy_id: int) -> list[int]:
    """Reviews that the cursor has just locked count as sent at a moment; who they are."""
    found = [row[0] for row in cursor.fetchall()]
    cursor.execute(
        f"UPDATE awaiting_prediction SET sent_at = {moment} "  # noqa: S608  a constant of this module
        "WHERE taxonomy_id = %s AND review_id = ANY(%s::bigint[])",
        (taxonomy_id, array(found)),
    )
    return found


class PredictionBacklog(msgspec.Struct, frozen=True):
    """How many reviews of a taxonomy await a prediction, and how many of them wait for a champion."""

    awaiting: int
    parked: int


def line(cursor: Cursor, taxonomy_id: int) -> PredictionBacklog:
    """Who awaits a prediction."""
    cursor.execute(
        "SELECT count(*), count(*) FILTER (WHERE sent_at IS NULL) FROM awaiting_prediction WHERE taxonomy_id = %s",
        (taxonomy_id,),
    )
    return PredictionBacklog(*(cursor.fetchone() or (0, 0)))


def record_failed(
    cursor: Cursor,
    queue: str,
    read: Mapping[int, int],
    taxonomy_id: int,
    reason: str,
    traceback_hash: str,
) -> None:
    """Note reviews that no model can predict, by id and revision, and take them out of the line.

    The rows name no taxonomy: a review without a prediction can still be labelled.
    """
    gone = settle(
        cursor, [WaitingReview(number, revision, "") for number, revision in read.items()], taxonomy_id
    )
    cursor.execute(
        """
        INSERT INTO failures (digest, queue, reason, review_id, revision, traceback_hash)
        SELECT sha256(convert_to(concat_ws('/', %(queue)s, review_id, revision), 'UTF8')),
               %(queue)s, %(reason)s, review_id, revision, %(hash)s
        FROM unnest(%(ids)s::bigint[], %(revisions)s::integer[]) AS gone (review_id, revision)
        ON CONFLICT (digest) DO NOTHING
        """,
        {
            "queue": queue,
            "reason": reason.replace("\x00", ""),
            "hash": traceback_hash,
            "ids": [row.review_id for row in gone],
            "revisions": [row.revision for row in gone],
        },
    )
