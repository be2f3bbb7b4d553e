"""What a batch costs does not grow with what is stored: no statement of a review's way reads a whole table."""

from __future__ import annotations

import pytest

from shared.intake import take_in
from shared.labelling import Labeller
from shared.reviews import Message
from shared.rules import Rules
from shared.store import Database, predictions, taxonomies
from tests.integration import ledger
from tests.integration.stored import QUEUE, ByFirstLetter, review

pytestmark = pytest.mark.services

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


@pytest.mark.parametrize("stages", [("keywords",), ("keywords", "similarity")])
def test_a_batch_is_stored_and_labelled_without_reading_a_whole_table(
    database: Database, database_url: str, full: int, stages: tuple[str, ...]
) -> None:
    database.close()  # what a session counts is seen by others once it has ended
    watching = Database(database_url)
    before = scans(watching)

    worker = Database(database_url)
    cascade = Labeller(worker, full, stages, {"keywords": ByFirstLetter()}, Rules(full, {"keywords": 0.8}))
    for turn in range(2):  # new reviews, and the same once more with half of the texts replaced
        texts = [("туфли", f"очки {turn}", "туфли", f"? {turn}")[number % 4] for number in range(BATCH)]
        rows = [review(str(number), text) for number, text in enumerate(texts)]
        stored = take_in(
            worker,
            [Message(rows, [])],
            queue=QUEUE,
            taxonomy_id=full,
            first_stage="keywords",
            predict_queue="cpu.classify",
        )
        assert stored.new + stored.replaced == (BATCH if turn == 0 else BATCH / 2)
        outcome = cascade.run("keywords", stored.first_stage)
        assert outcome.seen == len(stored.first_stage) > 0
        with worker.transaction() as cursor:
            waiting = predictions.texts(cursor, stored.unpredicted, full)
            assert len(predictions.settle(cursor, waiting, full)) == len(stored.unpredicted) > 0
    worker.close()

    assert scans(watching) == before
    watching.close()
