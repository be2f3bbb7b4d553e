"""What a batch costs does not grow with what is stored, whatever the server believes is stored."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import cursor as PlainCursor

from shared.labelling.labeller import Labeller
from shared.labelling.rules import Rules
from shared.reviews.wire import Message
from shared.store import (
    Database,
    awaiting,
    batches,
    labels,
    places,
    predictions,
    taxonomies,
    verdicts,
)
from shared.store.labels import Label
from shared.store.places import WaitingReview
from shared.store.predictions import Prediction
from tests.support import ledger
from tests.support.stored import TO_PREDICT, ByFirstLetter, review, take_reviews, upserted

STORED = 200_000
BATCH = 500
TABLES = ("reviews", "verdicts", "labels", "waiting", "awaiting_prediction", "failures", "predictions")

FILL = """
INSERT INTO reviews (source, external_id, text, text_sha)
    SELECT 'old', n, 'текст', sha256(n::text::bytea) FROM generate_series(1, %(stored)s) n;
INSERT INTO verdicts (review_id, taxonomy_id, stage, revision, category, confidence, evidence, model)
    SELECT id, %(taxonomy)s, 'keywords', 1, 'shoes', 0.9, '[]', 'test' FROM reviews;
INSERT INTO labels (review_id, taxonomy_id, revision, category, confidence, stage, status)
    SELECT id, %(taxonomy)s, 1, 'shoes', 0.9, 'keywords', 'accepted' FROM reviews;
INSERT INTO waiting (review_id, taxonomy_id, revision, stage)
    SELECT id, %(taxonomy)s, 1, 'zero_shot' FROM reviews;
INSERT INTO awaiting_prediction (review_id, taxonomy_id, revision) SELECT id, %(taxonomy)s, 1 FROM reviews;
INSERT INTO failures (digest, queue, reason, review_id, taxonomy_id, revision)
    SELECT sha256(id::text::bytea), 'gpu.label', 'test', id, %(taxonomy)s, 1 FROM reviews;
INSERT INTO models (taxonomy_id, architecture, artefact_path, artefact_sha, labels, manifest)
    VALUES (%(taxonomy)s, 'linear', 'test', '', '{shoes}', '{}');
INSERT INTO predictions (review_id, model_id, revision, category, confidence, truncated, probabilities)
    SELECT r.id, m.id, 1, 'shoes', 0.9, false, '{}' FROM reviews r, models m;
"""


@pytest.fixture
def full(database: Database) -> int:
    """The taxonomy of a database that holds much; the server knows how much by its statistics."""
    with database.transaction() as cursor:
        taxonomy = taxonomies.register(cursor, "test", "1", "{}")
        cursor.execute(FILL, {"stored": STORED, "taxonomy": taxonomy})
        cursor.execute("ANALYZE")
    return taxonomy


def scans(database: Database) -> dict[str, int]:
    """How often each table has been read from end to end."""
    found = ledger.rows(database, "SELECT relname, seq_scan FROM pg_stat_user_tables")
    return {name: count for name, count in found if name in TABLES}


def test_statements_start_no_parallel_workers_and_no_compiler(database: Database) -> None:
    # With statistics of a smaller table the planner takes 500 ids for thousands of rows, and starting costs more.
    (found,) = ledger.rows(
        database, "SELECT current_setting('max_parallel_workers_per_gather'), current_setting('jit')"
    )
    assert found == ("0", "off")


def empty_the_lines(database: Database) -> None:
    """As the server's upkeep finds them when all is labelled and predicted: many pages with nothing in them."""
    with database.transaction() as cursor:
        cursor.execute("DELETE FROM waiting; DELETE FROM awaiting_prediction")
    with database.transaction() as cursor:
        cursor.execute("ANALYZE waiting, awaiting_prediction")


@pytest.mark.parametrize("line", ["long", "believed to be empty"])
@pytest.mark.parametrize("stages", [("keywords",), ("keywords", "similarity")])
def test_a_batch_is_stored_and_labelled_without_reading_a_whole_table(
    database: Database, database_url: str, full: int, stages: tuple[str, ...], line: str
) -> None:
    if line != "long":
        empty_the_lines(database)
    database.close()  # what a session counts is seen by others once it has ended
    watching = Database(database_url)
    before = scans(watching)

    worker = Database(database_url, by_keys=True)
    cascade = Labeller(worker, full, stages, {"keywords": ByFirstLetter()}, Rules(full, {"keywords": 0.8}))
    for turn in range(2):  # new reviews, and the same once more with half of the texts replaced
        texts = [("туфли", f"очки {turn}", "туфли", f"? {turn}")[number % 4] for number in range(BATCH)]
        rows = [review(str(number), text) for number, text in enumerate(texts)]
        stored = take_reviews(worker, full, *rows, **TO_PREDICT)
        assert stored.new + stored.replaced == (BATCH if turn == 0 else BATCH / 2)
        outcome = cascade.run("keywords", stored.first_stage)
        assert outcome.counts.seen == len(stored.first_stage) > 0
        with worker.transaction() as cursor:
            waiting = awaiting.texts(cursor, stored.unpredicted, full)
            assert len(awaiting.settle(cursor, waiting, full)) == len(stored.unpredicted) > 0
    worker.close()

    assert scans(watching) == before
    watching.close()


class Explaining(PlainCursor):
    """A cursor that has each statement explained first: how many rows each part of its plan handled."""

    handled: list[tuple[str, float]]

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002  psycopg2's name
        if str(query).split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
            super().execute("SAVEPOINT explained")
            super().execute(b"EXPLAIN (ANALYZE, FORMAT JSON) " + self.mogrify(query, vars))
            ((plans,),) = self.fetchall()
            super().execute("ROLLBACK TO SAVEPOINT explained")
            self.handled.append((str(query), rows_of(plans[0]["Plan"])))
        super().execute(query, vars)


def rows_of(plan: dict[str, Any]) -> float:
    """The most rows that a part of a plan made or threw away."""
    names = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter")
    mine = sum(plan.get(name, 0) for name in names) * plan["Actual Loops"]
    return max([mine, *(rows_of(part) for part in plan.get("Plans", ()))])


@contextmanager
def explaining(url: str, settings: str) -> Iterator[Explaining]:
    connection = psycopg2.connect(url, cursor_factory=Explaining, options=settings)
    with connection, connection.cursor() as cursor:
        assert isinstance(cursor, Explaining)
        cursor.handled = []
        yield cursor
    connection.close()


# With the statistics of an empty line PostgreSQL 15 compared each of a batch with each, 130 microseconds a review:
# where that is the only way to join, the statements must be such that it does no harm.
@pytest.mark.parametrize("settings", ["", "-c enable_hashjoin=off -c enable_mergejoin=off"])
def test_no_statement_handles_many_more_rows_than_its_batch_has(
    database: Database, database_url: str, full: int, settings: str
) -> None:
    if settings:
        empty_the_lines(database)
    incoming = [Message([review(str(number), f"туфли {number}") for number in range(BATCH)], [])]
    again = [Message([review(str(number), f"туфли {number % 50}") for number in range(BATCH)], [])]

    with explaining(database_url, settings) as cursor:
        for batch in (incoming, incoming, again):
            stored = upserted(cursor, batch, full, "keywords")
            unpredicted = awaiting.await_predictions(cursor, full, "cpu.classify", stored.fresh, stored.known)
            assert len(unpredicted) == BATCH
        ids = [*stored.added, *stored.in_line]
        waiting = places.texts(cursor, ids, full, "keywords")
        held = places.hold(cursor, ids, full)
        found = [answer.verdict for answer in ByFirstLetter().answers([row.text for row in waiting])]
        both = [(row, verdict) for row, verdict in zip(waiting, found, strict=True) if verdict is not None]
        assert len(both) == BATCH
        for _ in range(2):
            verdicts.write(cursor, both, full, "keywords", "test")
        places.pass_on(cursor, waiting, full, "similarity", held)
        places.keep(cursor, ids, full, "similarity")
        assert len(verdicts.guesses(cursor, waiting, full)) == BATCH
        rows = [Label(row.review_id, row.revision, "shoes", 0.9, "keywords", "accepted") for row in waiting]
        labels.settle(cursor, rows, full, held)
        assert predict(cursor, unpredicted, full) == BATCH
        assert len(cursor.handled) > 20
        assert [(query, rows) for query, rows in cursor.handled if rows > 10 * BATCH] == []


def predict(cursor: PlainCursor, review_ids: list[int], taxonomy: int) -> int:
    places.keep(cursor, review_ids, taxonomy, None)
    read: list[WaitingReview] = awaiting.texts(cursor, review_ids, taxonomy)
    mine = awaiting.settle(cursor, read, taxonomy)
    predictions.write(
        cursor, [Prediction(row.review_id, row.revision, "shoes", 0.9, False, [0.9]) for row in mine], 1
    )
    return len(mine)


def test_how_far_a_batch_has_come_is_counted_in_one_pass_when_the_line_is_believed_to_be_empty(
    database: Database, database_url: str, full: int
) -> None:
    with database.transaction() as cursor:
        cursor.execute("DELETE FROM waiting; DELETE FROM failures")
    with database.transaction() as cursor:
        cursor.execute("ANALYZE waiting, failures")
    batch, messages, waits = str(uuid.uuid4()), 40, 2_000
    with explaining(database_url, "") as cursor:
        cursor.execute("INSERT INTO batches (id, messages) VALUES (%s, %s)", (batch, messages))
        cursor.execute(
            """
            INSERT INTO batch_messages
            SELECT %s, m, array(SELECT generate_series(m * 250 + 1, m * 250 + 250)), 0 FROM generate_series(0, %s) m
            """,
            (batch, messages - 1),
        )
        cursor.execute(
            "INSERT INTO waiting SELECT id, %s, 1, 'keywords' FROM reviews WHERE id <= %s", (full, waits)
        )
        cursor.execute(
            """
            INSERT INTO failures (digest, queue, reason, review_id, taxonomy_id, revision)
            SELECT sha256(id::text::bytea), 'gpu.label', 'test', id, %s, 1 FROM reviews WHERE id <= %s
            """,
            (full, waits),
        )
        cursor.execute("ANALYZE batch_messages")
        cursor.handled.clear()
        found = batches.progress(cursor, batch, full)
        assert found is not None
        assert (found.waiting, found.failed, found.received) == ({"keywords": waits}, waits, 250 * messages)
        assert [(query, rows) for query, rows in cursor.handled if rows > 4 * 250 * messages] == []
