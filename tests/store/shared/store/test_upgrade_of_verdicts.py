"""From schema 0018, where every verdict has a row of its own, to 0019 and back, while people read."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from shared.reviews.wire import BatchPart
from shared.store import Database, labels, taxonomies
from shared.store.postgres import schema
from shared.store.reports import export, overview
from tests.support import migrations
from tests.support.servers import PATIENCE_S
from tests.support.stored import ask, review

STORED = 3_000
BATCH = "4e4b24a5-8c3c-4b6f-9f3f-7c1b4f0c9a01"

# Of six reviews four have a label that the keyword stage gave, one a guess, one a person's label.
FILL = """
INSERT INTO reviews (source, external_id, text, text_sha, revision)
    SELECT 'shop', n, 'туфли ' || n, sha256(n::text::bytea), 1 + n %% 2 FROM generate_series(1, %(stored)s) n;
INSERT INTO verdicts (review_id, taxonomy_id, stage, revision, category, confidence, score, evidence, model)
    SELECT id, %(taxonomy)s, s.stage, revision, 'shoes', (id %% 10) / 10.0, (id %% 7) / 7.0,
        CASE s.stage WHEN 'keywords' THEN json_build_array(json_build_object(
            'word', 'туфли', 'start', 0, 'end', 5, 'keyword', 'туфля', 'category', 'shoes'))
        ELSE '{"next": "toys"}' END, s.stage || ' of before'
    FROM reviews, (VALUES ('keywords'), ('similarity')) AS s (stage);
INSERT INTO labels (review_id, taxonomy_id, revision, category, confidence, stage, status)
    SELECT id, %(taxonomy)s, revision, 'shoes', (id %% 10) / 10.0, CASE WHEN id %% 6 > 0 THEN 'keywords' END,
        CASE id %% 6 WHEN 0 THEN 'human' WHEN 1 THEN 'needs_review' ELSE 'accepted' END FROM reviews;
INSERT INTO batches (id, messages) VALUES (%(batch)s, 1);
INSERT INTO batch_messages SELECT %(batch)s, 0, array_agg(id), 0 FROM reviews;
"""
LABELLED = "SELECT * FROM labelled_reviews ORDER BY review_id"
SAID = """
SELECT review_id, stage, revision, category, confidence, score, evidence::text, model, at FROM {}
ORDER BY review_id, stage
"""
EXPORTED = """
SELECT r.external_id, l.category, l.confidence, l.stage, l.status, v.evidence FROM reviews r JOIN labels l
ON l.review_id = r.id LEFT JOIN verdicts v ON v.review_id = r.id AND v.stage = l.stage
"""
COUNTED = """
SELECT least(floor(v.confidence * 5)::integer, 4), count(*) FROM verdicts v WHERE stage = 'keywords' GROUP BY 1
"""


@pytest.fixture
def of_before(database: Database) -> int:
    """The taxonomy of a database at 0018 that holds much."""
    migrations.downgrade(database, "0018")
    with database.transaction() as cursor:
        taxonomy = taxonomies.register(cursor, "test", "1", "{}")
        cursor.execute(FILL, {"stored": STORED, "taxonomy": taxonomy, "batch": BATCH})
    return taxonomy


def exported(database: Database, taxonomy: int) -> dict[str, tuple[Any, ...]]:
    names = [("shop", str(number)) for number in range(1, STORED + 1)]
    with database.transaction() as cursor:
        found = export.by_names(cursor, names, taxonomy)
    return {
        name: (row.category, row.confidence, row.stage, row.status, row.evidence)
        for (_, name), row in found.items()
    }


def test_views_and_reports_give_the_same_after_the_upgrade(database, of_before):
    labelled, said = ask(database, LABELLED), ask(database, SAID.format("verdicts"))
    before = {name: rest for name, *rest in ask(database, EXPORTED)}
    counted = dict(ask(database, COUNTED))
    assert schema.upgrade(database) == "0019"
    assert ask(database, LABELLED) == labelled
    assert ask(database, SAID.format("all_verdicts")) == said
    assert {name: [*rest] for name, rest in exported(database, of_before).items()} == before
    with database.transaction() as cursor:
        counts, mean = overview.confidences(cursor, BATCH, of_before, "keywords", 5)
        (example,) = export.examples(cursor, BATCH, of_before, 1, "accepted")
    assert dict(enumerate(counts)) == counted
    accepted = [row[1] for row in before.values() if row[3] == "accepted"]
    assert mean == pytest.approx(sum(accepted) / len(accepted), rel=1e-5)
    assert example.evidence[0]["word"] == "туфли"


def test_a_label_of_before_the_upgrade_is_replaced_and_its_verdict_stays(database, of_before):
    schema.upgrade(database)
    ((number, revision),) = ask(database, "SELECT id, revision FROM reviews WHERE external_id = '3'")
    said = ask(database, SAID.format("all_verdicts"))
    with database.transaction() as cursor:
        labels.settle_by_people(cursor, [(number, revision, "toys")], of_before)
    assert ask(database, SAID.format("all_verdicts")) == said
    assert exported(database, of_before)["3"][3:] == ("human", None)


def test_who_reads_goes_on_reading_while_the_database_is_upgraded(database, database_url, of_before):
    reader, report = Database(database_url), Database(database_url)
    done, waits = Event(), list[float]()

    def read() -> None:
        while not done.is_set():
            began = time.monotonic()
            assert len(ask(reader, LABELLED)) == STORED
            waits.append(time.monotonic() - began)

    with ThreadPoolExecutor() as pool:
        reading = pool.submit(read)
        with report.transaction() as cursor:  # a report that takes long
            cursor.execute("SELECT count(*) FROM labels")
            upgrade = pool.submit(schema.upgrade, database)
            cursor.execute("SELECT pg_sleep(1.5)")
            assert not upgrade.done()
            so_far = len(waits)
        assert upgrade.result(PATIENCE_S) == "0019"
        done.set()
        reading.result(PATIENCE_S)
    assert so_far > 3
    assert max(waits) < 5
    for one in (reader, report):
        one.close()


def test_a_database_that_goes_back_has_every_verdict_in_its_own_row_again(database, taxonomy, take, cascade):
    batch = BatchPart(uuid.UUID(BATCH), 0, last=True)
    rows = [
        review(str(number), text) for number, text in enumerate(("туфли", "очки", "чайник", "тапочки"), 1)
    ]
    cascade.run("keywords", take(*rows, batch=batch).first_stage)
    cascade.run("keywords", take(review("4", "тазик")).first_stage)
    labelled, exports = ask(database, LABELLED), exported(database, taxonomy)
    migrations.downgrade(database, "0018")
    assert ask(database, LABELLED) == labelled
    assert {name: tuple(rest) for name, *rest in ask(database, EXPORTED)} == exports
    assert ask(
        database,
        "SELECT external_id, v.revision, model FROM verdicts v JOIN reviews r ON r.id = review_id ORDER BY 1",
    ) == [
        ("1", 1, "first letters"),
        ("2", 1, "first letters"),
        ("4", 2, "first letters"),
    ]
    schema.upgrade(database)
    assert ask(database, LABELLED) == labelled
    assert exported(database, taxonomy) == exports
