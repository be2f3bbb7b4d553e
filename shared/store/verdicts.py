"""Verdicts: what each stage said about each review and was not kept, and the surest of them.

A verdict that was kept stands in the row of its label, until another one takes the label's place. The view
`all_verdicts` has both.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.cascade.stage import Verdict
from shared.catalogue import STAGES
from shared.store.judged import judges
from shared.store.judged.evidence import narrowed
from shared.store.places import WaitingReview
from shared.store.postgres.copying import copied, copy, json_cell, real_cell
from shared.store.postgres.recordset import array, recordset


class Guess(msgspec.Struct, frozen=True):
    """The best verdict that earlier stages left for a review."""

    category: str
    confidence: float
    stage: str


def guesses(cursor: Cursor, rows: Sequence[WaitingReview], taxonomy_id: int) -> dict[int, Guess]:
    """The best stored verdict on the text that was judged, for each review that has one.

    That is the surest one, of the stages whose guesses go before the others' in `shared.catalogue.STAGES`. Reviews that
    wait have no label, so no verdict of theirs stands in one.
    """
    judged = {row.review_id: row.revision for row in rows}
    ranks = {name: row.guess_rank for name, row in STAGES.items()}
    cursor.execute(
        """
        SELECT review_id, revision, category, confidence, stage FROM verdicts
        WHERE review_id = ANY(%s::bigint[]) AND taxonomy_id = %s
        ORDER BY coalesce((%s::jsonb ->> stage)::integer, 0) DESC, confidence DESC, stage
        """,
        (array(judged), taxonomy_id, msgspec.json.encode(ranks).decode()),
    )
    found: dict[int, Guess] = {}
    for review_id, revision, *rest in cursor.fetchall():
        if judged[review_id] == revision:
            found.setdefault(review_id, Guess(*rest))
    return found


# Where there is a verdict on an older text, or with another outcome.
_REPLACE = """
INSERT INTO verdicts AS v (review_id, taxonomy_id, stage, revision, category, confidence, score,
    evidence, judge)
SELECT review_id, %s, %s, revision, category, confidence, score, evidence, %s
FROM json_to_recordset(%s) AS i (review_id bigint, revision integer, category text, confidence real,
    score real, evidence json)
ON CONFLICT (review_id, taxonomy_id, stage) DO UPDATE
SET revision = excluded.revision, category = excluded.category, confidence = excluded.confidence,
    score = excluded.score, evidence = excluded.evidence, judge = excluded.judge, model = NULL, at = now()
WHERE v.revision < excluded.revision OR (v.revision = excluded.revision AND (
    (v.category, v.confidence, v.score) IS DISTINCT FROM (excluded.category, excluded.confidence, excluded.score)
    OR (v.judge IS DISTINCT FROM excluded.judge AND v.model IS DISTINCT FROM %s)))
"""
_COLUMNS = "review_id, taxonomy_id, stage, revision, category, confidence, judge, score, evidence"


def add(
    cursor: Cursor, rows: Sequence[tuple[WaitingReview, Verdict]], taxonomy_id: int, stage: str, model: str
) -> None:
    """Verdicts on reviews that are new, so that nothing is known of them. Those kept as labels stand in these."""
    if rows:
        copy(cursor, "verdicts", _COLUMNS, _lines(rows, taxonomy_id, stage, _judge(cursor, stage, model)))


def write(
    cursor: Cursor, rows: Sequence[tuple[WaitingReview, Verdict]], taxonomy_id: int, stage: str, model: str
) -> None:
    """Record a stage's verdicts in the order of their reviews. The same verdict again changes no row.

    Those that were kept are not among them: they stand in their labels, see `shared.store.labels`.
    """
    if not rows:
        return
    judge = _judge(cursor, stage, model)
    first = [(row, verdict) for row, verdict in rows if row.revision == 1]
    added = copied(cursor, "verdicts", _COLUMNS, _lines(first, taxonomy_id, stage, judge))
    others: list[dict[str, object]] = [
        {
            "review_id": row.review_id,
            "revision": row.revision,
            "category": verdict.category,
            "confidence": verdict.confidence,
            "score": verdict.score,
            "evidence": narrowed(verdict.evidence, verdict.category),
        }
        for row, verdict in rows
        if not added or row.revision != 1
    ]
    if others:
        cursor.execute(_REPLACE, (taxonomy_id, stage, judge, recordset(others), model))


def _judge(cursor: Cursor, stage: str, model: str) -> int:
    return judges.numbers(cursor, [(stage, model)])[stage, model]


def _lines(
    rows: Sequence[tuple[WaitingReview, Verdict]], taxonomy_id: int, stage: str, judge: int
) -> list[bytes]:
    return [
        f"{row.review_id}\t{taxonomy_id}\t{stage}\t{row.revision}\t{verdict.category}\t"
        f"{real_cell(verdict.confidence)}\t{judge}\t{real_cell(verdict.score)}\t".encode()
        + json_cell(narrowed(verdict.evidence, verdict.category))
        + b"\n"
        for row, verdict in rows
    ]
