"""What a user would write first, measured beside Otzyv: one Celery task per review, one INSERT per review.

The same keyword stage, Celery's default settings, and late acknowledgement, so that a killed worker loses nothing;
results, for which there is no backend, are ignored.
There is nothing else: no evidence, no batches, no dead letters, no back-pressure, and a review that comes twice is
stored twice.
"""

from __future__ import annotations

import os
from functools import cache

import psycopg2
from celery import Celery
from psycopg2.extensions import connection as Connection

from shared.cascade.stage import verdicts
from shared.stages.keywords.stage import KeywordStage
from shared.taxonomy import default_taxonomy

QUEUE = "otzyv.bench.naive"
TABLE = "CREATE TABLE naive (source text, external_id text, text text, category text, confidence real)"

app = Celery("naive", broker=os.environ.get("OTZYV_AMQP_URL"))
app.conf.task_acks_late = True
app.conf.task_ignore_result = True
app.conf.task_default_queue = QUEUE
app.conf.worker_hijack_root_logger = False


@cache
def _stage() -> KeywordStage:
    return KeywordStage(default_taxonomy())


@cache
def _connection() -> Connection:
    connection = psycopg2.connect(os.environ["OTZYV_DATABASE_URL"])
    connection.autocommit = True
    return connection


@app.task(name="naive.label", shared=False)  # type: ignore[untyped-decorator]
def label(review: dict[str, str]) -> None:
    """Label one review and store it."""
    (verdict,) = verdicts(_stage(), [review["text"]])
    with _connection().cursor() as cursor:
        cursor.execute(
            "INSERT INTO naive VALUES (%s, %s, %s, %s, %s)",
            (
                review["source"],
                review["id"],
                review["text"],
                verdict.category if verdict else None,
                verdict.confidence if verdict else None,
            ),
        )
