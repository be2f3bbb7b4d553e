"""Verdicts: what each stage said about each review and was not kept, and the surest of them.

A verdict that was kept stands in the row of its label, until another one takes the label's place. The view
`all_verdicts` has both.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.cascade.stage import Verdict
from shared.catalogue import STAGES
from shared.store.judged import judges
from shared.store.judged.evidence import narrowed
from shared.store.places import WaitingReview
from shared.store.postgres import copying
from shared.store.postgres.copying import cell, copied, copy, encode_json, real_cell, text_cell
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
_COLUMNS = "review_id, taxonomy_id, stage, judge, revision, category, confidence, score, evidence"
_HEAD: Final = struct.Struct("!hiq").pack


def add(
    cursor: Cursor, rows: Sequence[tuple[WaitingReview, Verdict]], taxonomy_id: int, stage: str, judge: int
) -> None:
    """Verdicts on reviews that are new, so that nothing is known of them. Those kept as labels stand in these.

    `judge` is the number of the stage with its model.
    """
    if rows:
        copy(cursor, "verdicts", _COLUMNS, _lines(rows, taxonomy_id, stage, judge))


def write(
    cursor: Cursor, rows: Sequence[tuple[WaitingReview, Verdict]], taxonomy_id: int, stage: str, model: str
) -> None:
    """Record a stage's verdicts in the order of their reviews. The same verdict again changes no row.

    Those that were kept are not among them: they stand in their labels, see `shared.store.labels`.
    """
    if not rows:
        return
    judge = judges.numbers(cursor, [(stage, model)])[stage, model]
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


def _lines(
    rows: Sequence[tuple[WaitingReview, Verdict]], taxonomy_id: int, stage: str, judge: int
) -> list[bytes]:
    count = _COLUMNS.count(",") + 1
    common = copying.integer_cell(taxonomy_id) + text_cell(stage) + copying.integer_cell(judge)
    lines: list[bytes] = []
    for row, verdict in rows:
        lines += (
            _HEAD(count, 8, row.review_id),
            common,
            copying.integer_cell(row.revision),
            text_cell(verdict.category),
            real_cell(verdict.confidence),
            real_cell(verdict.score),
            cell(encode_json(narrowed(verdict.evidence, verdict.category))),
        )
    return lines
