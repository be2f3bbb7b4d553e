"""Labels that were withheld from reviews, so that dearer stages and people say what they would have said."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from shared.cascade.stage import Verdict
from shared.quality.withholding import WithheldCount
from shared.store.places import WaitingReview
from shared.store.postgres.fetched import all_of, first_of


def note(
    cursor: Cursor,
    rows: Sequence[tuple[WaitingReview, Verdict]],
    taxonomy_id: int,
    stage: str,
    model: str,
    probability: float,
) -> None:
    """Keep what would have been the labels of reviews. The same again changes no row."""
    execute_values(
        cursor,
        """
        INSERT INTO withheld AS w (review_id, taxonomy_id, stage, revision, model, category, confidence, score,
            probability)
        VALUES %s ON CONFLICT (review_id, taxonomy_id, stage) DO UPDATE
        SET revision = excluded.revision, model = excluded.model, category = excluded.category,
            confidence = excluded.confidence, score = excluded.score, probability = excluded.probability, at = now()
        WHERE (w.revision, w.model) IS DISTINCT FROM (excluded.revision, excluded.model)
        """,
        [
            (
                row.review_id,
                taxonomy_id,
                stage,
                row.revision,
                model,
                verdict.category,
                verdict.confidence,
                verdict.raw,
                probability,
            )
            for row, verdict in rows
        ],
    )


_COUNT = """
    SELECT w.model, count(*), count(l.review_id), count(*) FILTER (WHERE l.category = w.category),
           count(*) FILTER (WHERE l.status = 'human'),
           count(*) FILTER (WHERE l.status = 'human' AND l.category = w.category)
    FROM withheld w JOIN taxonomies t ON t.id = w.taxonomy_id
    LEFT JOIN labels l ON l.review_id = w.review_id AND l.taxonomy_id = w.taxonomy_id AND l.revision = w.revision
        AND (l.status = 'human' OR (l.status = 'accepted' AND l.stage <> w.stage))
    WHERE t.name = %(taxonomy)s AND w.stage = %(stage)s AND {which} GROUP BY 1 ORDER BY 1
"""
_UNDER_THESE_THRESHOLDS = """
    w.at >= coalesce(
        (SELECT max(v.calibrated_at) FROM threshold_versions v WHERE v.taxonomy_id = w.taxonomy_id), '-infinity')
"""
_OF_A_MODEL = "w.model = %(model)s AND w.score >= %(least)s"


def counts(cursor: Cursor, taxonomy: str, stage: str) -> list[WithheldCount]:
    """What became of a stage's labels that were withheld under the thresholds of now, by model.

    Answered is what a person has labelled since, or a stage after this one.
    """
    cursor.execute(_COUNT.format(which=_UNDER_THESE_THRESHOLDS), {"taxonomy": taxonomy, "stage": stage})
    return all_of(cursor, WithheldCount)


def evidence(cursor: Cursor, taxonomy: str, stage: str, model: str, least: float) -> WithheldCount | None:
    """The same of all labels ever withheld from a model whose score was `least` or more; None where there are none."""
    values = {"taxonomy": taxonomy, "stage": stage, "model": model, "least": least}
    cursor.execute(_COUNT.format(which=_OF_A_MODEL), values)
    return first_of(cursor, WithheldCount)
