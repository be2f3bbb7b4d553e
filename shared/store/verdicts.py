"""Verdicts: what each stage said about each review, kept or not, and the surest of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import asdict
from psycopg2.extensions import cursor as Cursor

from shared.cascade.stage import Verdict
from shared.catalogue import STAGES
from shared.store.places import WaitingReview
from shared.store.postgres.copying import NULL, cell, copied, json_cell
from shared.store.postgres.recordset import array, recordset


class Guess(msgspec.Struct, frozen=True):
    """The best verdict that earlier stages left for a review."""

    category: str
    confidence: float
    stage: str


def guesses(cursor: Cursor, rows: Sequence[WaitingReview], taxonomy_id: int) -> dict[int, Guess]:
    """The best stored verdict on the text that was judged, for each review that has one.

    That is the surest one, of the stages whose guesses go before the others' in `shared.catalogue.STAGES`.
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
"""


def write(
    cursor: Cursor, rows: Sequence[tuple[WaitingReview, Verdict]], taxonomy_id: int, stage: str, model: str
) -> None:
    """Record a stage's verdicts in the order of their reviews. The same verdict again changes no row."""
    end = f"\t{cell(model)}\n".encode()
    added = copied(
        cursor,
        "verdicts",
        "review_id, taxonomy_id, stage, revision, category, confidence, score, evidence, model",
        [
            f"{row.review_id}\t{taxonomy_id}\t{stage}\t{row.revision}\t{verdict.category}\t{verdict.confidence}\t"
            f"{NULL if verdict.score is None else verdict.score}\t".encode()
            + json_cell(verdict.evidence)
            + end
            for row, verdict in rows
            if row.revision == 1
        ],
    )
    others: list[dict[str, object]] = [
        {"review_id": row.review_id, "revision": row.revision, **asdict(verdict)}
        for row, verdict in rows
        if not added or row.revision != 1
    ]
    if others:
        cursor.execute(_REPLACE, (taxonomy_id, stage, model, recordset(others)))
