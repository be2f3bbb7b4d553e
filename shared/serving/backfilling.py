"""One batch of a backfill: stored reviews predicted anew by a model, in two short transactions. It knows no broker."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from shared.classifiers import Classifier
from shared.serving.predictor import answered
from shared.store import Database, backfills, predictions, reviews

log = structlog.get_logger()


def go_on(
    database: Database, classifier: Callable[[int], Classifier], backfill: int, number: int, rows: int
) -> bool:
    """Predict up to so many reviews of a part; whether the caller is to go on with it.

    `classifier` gives a model by its number. Nothing is left where another process has gone on meanwhile.
    """
    with database.transaction() as cursor:
        left = backfills.part(cursor, backfill, number)
        if left is None:
            return False
        texts = backfills.texts(cursor, left, rows)
    next_id = texts[-1].review_id + 1 if texts else left.last_id + 1
    predicted, failed = answered(classifier(left.model_id), texts)
    if failed:
        log.warning("backfill.cannot_be_predicted", model_id=left.model_id, review_ids=failed)
    with database.transaction() as cursor:
        there = reviews.hold(cursor, (row.review_id for row in predicted))
        predictions.write(cursor, [row for row in predicted if row.review_id in there], left.model_id)
        mine = backfills.advance(cursor, backfill, number, left, next_id)
    log.info("backfill.done", backfill=backfill, part=number, predicted=len(predicted), next_id=next_id)
    return mine and next_id <= left.last_id
