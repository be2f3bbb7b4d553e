"""Predictions: one current row for each review and model."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.store.postgres import copying
from shared.store.postgres.recordset import recordset


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """What a model says about one text. `probabilities` are in the order of the model's labels."""

    review_id: int
    revision: int
    category: str
    confidence: float
    truncated: bool
    probabilities: Sequence[float]


def add(cursor: Cursor, rows: Sequence[Prediction], model_id: int) -> None:
    """Record a model's predictions of reviews that this transaction has stored, so that nobody has any of them."""
    model = copying.integer_cell(model_id)
    rows_of_copy = [
        copying.row(
            copying.bigint_cell(row.review_id),
            model,
            copying.integer_cell(row.revision),
            copying.text_cell(row.category),
            copying.real_cell(row.confidence),
            copying.boolean_cell(row.truncated),
            copying.reals_cell(row.probabilities),
        )
        for row in rows
    ]
    if rows_of_copy:
        columns = "review_id, model_id, revision, category, confidence, truncated, probabilities"
        copying.copy(cursor, "predictions", columns, rows_of_copy)


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
