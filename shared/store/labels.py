"""What the cascade reads and writes: texts that wait for a stage, its verdicts, labels, and who waits next."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from shared.cascade import Verdict
from shared.store.recordset import array, recordset
from shared.store.reviews import hold


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A review that waits for a stage. `age_s` is how long ago its text arrived, where somebody asked for that."""

    review_id: int
    revision: int
    text: str
    age_s: float = 0.0


class Guess(msgspec.Struct, frozen=True):
    """The surest verdict that earlier stages left for a review."""

    category: str
    confidence: float
    stage: str


def texts(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int, stage: str) -> list[Waiting]:
    """The reviews among `review_ids` that wait for `stage`; those already past it are left out."""
    cursor.execute(
        """
        SELECT r.id, r.revision, r.text, extract(epoch FROM now() - r.received_at)::float8
        FROM waiting w JOIN reviews r ON r.id = w.review_id
        WHERE w.taxonomy_id = %s AND w.stage = %s AND w.review_id = ANY(%s::bigint[]) ORDER BY r.id
        """,
        (taxonomy_id, stage, array(review_ids)),
    )
    return [Waiting(*row) for row in cursor.fetchall()]


def lock(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int) -> None:
    """Hold the waiting rows of a batch, in one order everywhere, until the transaction ends."""
    cursor.execute(
        """
        SELECT count(*) FROM (
            SELECT FROM waiting WHERE taxonomy_id = %s AND review_id = ANY(%s::bigint[])
            ORDER BY review_id FOR UPDATE) held
        """,
        (taxonomy_id, array(review_ids)),
    )


def waiting_for(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int, stage: str) -> list[int]:
    """The ids among `review_ids` that wait for `stage`."""
    cursor.execute(
        """
        SELECT review_id FROM waiting WHERE taxonomy_id = %s AND stage = %s AND review_id = ANY(%s::bigint[])
        ORDER BY 1
        """,
        (taxonomy_id, stage, array(review_ids)),
    )
    return [row[0] for row in cursor.fetchall()]


def waiting_ids(cursor: Cursor, taxonomy_id: int, stage: str) -> list[int]:
    """All reviews that wait for `stage`."""
    cursor.execute(
        "SELECT review_id FROM waiting WHERE taxonomy_id = %s AND stage = %s ORDER BY 1", (taxonomy_id, stage)
    )
    return [row[0] for row in cursor.fetchall()]


def guesses(cursor: Cursor, rows: Sequence[Waiting], taxonomy_id: int) -> dict[int, Guess]:
    """The surest stored verdict on the text that was judged, for each review that has one."""
    # No join with reviews, whose plan would change with the size of the tables: the rows know their revision.
    cursor.execute(
        """
        SELECT DISTINCT ON (v.review_id) v.review_id, v.category, v.confidence, v.stage
        FROM verdicts v JOIN unnest(%s::bigint[], %s::integer[]) AS judged (review_id, revision)
            USING (review_id, revision)
        WHERE v.review_id = ANY(%s::bigint[]) AND v.taxonomy_id = %s
        ORDER BY v.review_id, v.confidence DESC, v.stage
        """,
        (ids := array(row.review_id for row in rows), array(row.revision for row in rows), ids, taxonomy_id),
    )
    return {review_id: Guess(*rest) for review_id, *rest in cursor.fetchall()}


class _Verdict(msgspec.Struct, frozen=True, gc=False):
    """A verdict as the statement reads it."""

    review_id: int
    revision: int
    category: str
    confidence: float
    score: float | None
    evidence: object


def write_verdicts(
    cursor: Cursor,
    rows: Sequence[tuple[Waiting, Verdict]],
    taxonomy_id: int,
    stage: str,
    model: str,
) -> None:
    """Record a stage's verdicts, kept or not, in the order of their reviews. The same verdict again changes no row."""
    found = [
        _Verdict(
            waiting.review_id,
            waiting.revision,
            verdict.category,
            verdict.confidence,
            verdict.score,
            verdict.evidence,
        )
        for waiting, verdict in rows
    ]
    cursor.execute(
        """
        INSERT INTO verdicts AS v (review_id, taxonomy_id, stage, revision, category, confidence, score,
            evidence, model)
        SELECT review_id, %s, %s, revision, category, confidence, score, evidence, %s
        FROM json_to_recordset(%s) AS i (review_id bigint, revision integer, category text, confidence real,
            score real, evidence json)
        ON CONFLICT (review_id, taxonomy_id, stage) DO UPDATE
        SET revision = excluded.revision, category = excluded.category, confidence = excluded.confidence,
            score = excluded.score, evidence = excluded.evidence, model = excluded.model, at = now()
        WHERE v.revision < excluded.revision OR (v.revision = excluded.revision AND
            (v.category, v.confidence, v.score, v.model) IS DISTINCT FROM
            (excluded.category, excluded.confidence, excluded.score, excluded.model))
        """,
        (taxonomy_id, stage, model, recordset(found)),
    )


class Label(msgspec.Struct, frozen=True, gc=False):
    """A review's label as a stage decided it; without a category nobody had a guess."""

    review_id: int
    revision: int
    category: str | None
    confidence: float | None
    stage: str | None
    status: str


def settle(cursor: Cursor, rows: Sequence[Label], taxonomy_id: int) -> None:
    """Write labels and take their reviews out of the waiting line, both or neither.

    Only a review that still waits with the revision that was judged gets the label, so a text replaced in
    the meantime is not given the label of the old one.
    """
    if not rows:
        return
    # The ids once more as an array: by them the index is used, however long the line has become.
    cursor.execute(
        """
        WITH settled AS (
            DELETE FROM waiting w
            USING json_to_recordset(%(rows)s) AS i (review_id bigint, revision integer, category text,
                confidence real, stage text, status text)
            WHERE w.review_id = ANY(%(ids)s::bigint[]) AND w.review_id = i.review_id AND w.taxonomy_id = %(taxonomy)s
              AND w.revision = i.revision
            RETURNING i.*
        )
        INSERT INTO labels AS l (review_id, taxonomy_id, revision, category, confidence, stage, status)
        SELECT review_id, %(taxonomy)s, revision, category, confidence, stage, status FROM settled
        ON CONFLICT (review_id, taxonomy_id) DO UPDATE
        SET revision = excluded.revision, category = excluded.category, confidence = excluded.confidence,
            stage = excluded.stage, status = excluded.status, at = now()
        WHERE l.status <> 'human' OR l.revision < excluded.revision
        """,
        {"rows": recordset(rows), "ids": array(row.review_id for row in rows), "taxonomy": taxonomy_id},
    )


def pass_on(cursor: Cursor, rows: Sequence[Waiting], taxonomy_id: int, next_stage: str) -> None:
    """Let reviews wait for the next stage, unless their text has been replaced in the meantime."""
    ids = array(row.review_id for row in rows)
    cursor.execute(
        """
        UPDATE waiting w SET stage = %s, since = now(), sent_at = now()
        FROM unnest(%s::bigint[], %s::integer[]) AS judged (review_id, revision)
        WHERE w.review_id = ANY(%s::bigint[]) AND w.review_id = judged.review_id AND w.taxonomy_id = %s
          AND w.revision = judged.revision
        """,
        (next_stage, ids, array(row.revision for row in rows), ids, taxonomy_id),
    )


def stranded(cursor: Cursor, taxonomy_id: int, stage: str, limit: int) -> list[Waiting]:
    """Reviews that wait for a stage, up to `limit`, locked; two callers at once get different ones."""
    cursor.execute(
        """
        SELECT r.id, r.revision, r.text FROM waiting w JOIN reviews r ON r.id = w.review_id
        WHERE w.taxonomy_id = %s AND w.stage = %s ORDER BY r.id LIMIT %s FOR UPDATE OF w SKIP LOCKED
        """,
        (taxonomy_id, stage, limit),
    )
    return [Waiting(*row) for row in cursor.fetchall()]


def overdue(cursor: Cursor, taxonomy_id: int, stage: str, after_s: int, limit: int) -> list[int]:
    """Reviews whose message for `stage` was sent more than `after_s` seconds ago; they count as sent now.

    Two callers at once get different reviews.
    """
    cursor.execute(
        """
        UPDATE waiting SET sent_at = now() WHERE (review_id, taxonomy_id) IN (
            SELECT review_id, taxonomy_id FROM waiting
            WHERE taxonomy_id = %s AND stage = %s AND sent_at < now() - make_interval(secs => %s)
            ORDER BY review_id LIMIT %s FOR UPDATE SKIP LOCKED)
        RETURNING review_id
        """,
        (taxonomy_id, stage, after_s, limit),
    )
    return sorted(row[0] for row in cursor.fetchall())


def keep_place(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int, stage: str) -> None:
    """Their message for `stage` counts as sent now, so that they are not overdue. Waits for no other transaction."""
    cursor.execute(
        """
        UPDATE waiting SET sent_at = now() WHERE (review_id, taxonomy_id) IN (
            SELECT review_id, taxonomy_id FROM waiting
            WHERE taxonomy_id = %s AND stage = %s AND review_id = ANY(%s)
            ORDER BY review_id FOR UPDATE SKIP LOCKED)
        """,
        (taxonomy_id, stage, list(review_ids)),
    )


def settle_by_people(cursor: Cursor, rows: Sequence[tuple[int, int, str]], taxonomy_id: int) -> None:
    """Labels that people gave, as (review id, revision, category): no stage replaces them. The same again is no change.

    Their reviews wait for no stage any more, unless their text has been replaced in the meantime: then they do, and a
    label that the new text has already stays. A review that has been deleted meanwhile gets none.
    """
    there = hold(cursor, (review_id for review_id, _, _ in rows))
    rows = sorted(row for row in rows if row[0] in there)
    _wait_no_more(cursor, [(review_id, revision) for review_id, revision, _ in rows], taxonomy_id)
    execute_values(
        cursor,
        """
        INSERT INTO labels AS l (review_id, taxonomy_id, revision, category, status) VALUES %s
        ON CONFLICT (review_id, taxonomy_id) DO UPDATE
        SET revision = excluded.revision, category = excluded.category, confidence = NULL, stage = NULL,
            status = excluded.status, at = now()
        WHERE l.revision <= excluded.revision AND (l.revision, l.category, l.status) IS DISTINCT FROM
            (excluded.revision, excluded.category, excluded.status)
        """,
        [(review_id, taxonomy_id, revision, category, "human") for review_id, revision, category in rows],
    )


def settle_from_outside(
    cursor: Cursor, rows: Sequence[tuple[int, int, str, float]], taxonomy_id: int, stage: str
) -> None:
    """Labels that somebody else's method gave, as (review id, revision, category, confidence), under its name.

    They take the place of labels that stages gave, not of people's. The same again is no change. A review that has
    been deleted meanwhile gets none.
    """
    there = hold(cursor, (review_id for review_id, *_ in rows))
    rows = sorted(row for row in rows if row[0] in there)
    _wait_no_more(cursor, [(review_id, revision) for review_id, revision, _, _ in rows], taxonomy_id)
    execute_values(
        cursor,
        """
        INSERT INTO labels AS l (review_id, taxonomy_id, revision, category, confidence, stage, status) VALUES %s
        ON CONFLICT (review_id, taxonomy_id) DO UPDATE
        SET revision = excluded.revision, category = excluded.category, confidence = excluded.confidence,
            stage = excluded.stage, status = excluded.status, at = now()
        WHERE l.status <> 'human' AND l.revision <= excluded.revision
          AND (l.revision, l.category, l.confidence, l.stage, l.status) IS DISTINCT FROM
              (excluded.revision, excluded.category, excluded.confidence::real, excluded.stage, excluded.status)
        """,
        [
            (review_id, taxonomy_id, revision, category, confidence, stage, "accepted")
            for review_id, revision, category, confidence in rows
        ],
    )


def by_stage(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int) -> dict[str, int]:
    """How many of some reviews have a label by which stage; `human` are people's, and guesses count like the others."""
    cursor.execute(
        """
        SELECT CASE WHEN status = 'human' THEN status ELSE coalesce(stage, 'nobody') END, count(*)
        FROM labels WHERE taxonomy_id = %s AND review_id = ANY(%s) GROUP BY 1 ORDER BY 1
        """,
        (taxonomy_id, list(review_ids)),
    )
    return dict(cursor.fetchall())


def _wait_no_more(cursor: Cursor, rows: Sequence[tuple[int, int]], taxonomy_id: int) -> None:
    """Take texts, as (review id, revision) in order, out of the line of whatever stage."""
    lock(cursor, [review_id for review_id, _ in rows], taxonomy_id)
    cursor.execute(
        """
        DELETE FROM waiting w USING unnest(%s::bigint[], %s::integer[]) AS told (review_id, revision)
        WHERE w.taxonomy_id = %s AND w.review_id = told.review_id AND w.revision = told.revision
        """,
        ([review_id for review_id, _ in rows], [revision for _, revision in rows], taxonomy_id),
    )
