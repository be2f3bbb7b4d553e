"""Old reviews go with all that was made of them; what waits and what people have judged stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from shared.labelling.labeller import Labeller
from shared.reviews.wire import BatchPart, Message
from shared.settings import Settings
from shared.store import Database, gold, labels, retention, taxonomies
from shared.store.gold import GoldAnswer
from tests.support import ledger
from tests.support.processes import run
from tests.support.stored import ask, review, take_reviews, upserted
from tests.support.stored import waiting as in_line


@pytest.fixture
def names(database: Database, take, cascade: Labeller, taxonomy: int) -> dict[str, int]:
    """Reviews by name: two labelled, with an older text, one that waits, in gold, labelled by a person."""
    take(
        review("plain", "туфли"), review("edited", "туфли"), review("gold", "туфли"), review("human", "туфли")
    )
    cascade.run("keywords", [row[0] for row in ask(database, "SELECT id FROM reviews")])
    take(review("edited", "тапки"))
    cascade.run("keywords", [row[0] for row in ask(database, "SELECT id FROM reviews")])
    take(review("waiting", "туфли"))
    found = dict(ask(database, "SELECT external_id, id FROM reviews"))
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO gold (review_id, taxonomy_id, category, annotator) VALUES (%s, %s, 'shoes', 'a')",
            (found["gold"], taxonomy),
        )
        labels.settle_by_people(cursor, [(found["human"], 1, "shoes")], taxonomy)
        cursor.execute("UPDATE reviews SET received_at = now() - interval '400 days'")
    take(review("new", "туфли"))
    return found


def left(database: Database) -> set[str]:
    return {row[0] for row in ask(database, "SELECT external_id FROM reviews")}


def test_old_reviews_go_with_all_that_was_made_of_them(
    settings: Settings, database: Database, names: dict[str, int]
) -> None:
    done = run("db", "prune", "--older-than", "365", "--yes", settings=settings)
    assert done.returncode == 0, done.stderr
    assert "deleted 2 reviews" in done.stdout
    assert left(database) == {"gold", "human", "waiting", "new"}
    gone = (names["plain"], names["edited"])
    for table in ("labels", "label_history", "verdicts", "review_history", "waiting"):
        assert ask(database, f"SELECT count(*) FROM {table} WHERE review_id IN %s", gone) == [(0,)], table
    assert ask(database, "SELECT count(*) FROM labels WHERE review_id = %s", names["human"]) == [(1,)]
    assert [name for name, _, _ in in_line(database)] == ["new", "waiting"]


def test_a_look_beforehand_deletes_nothing(
    settings: Settings, database: Database, names: dict[str, int]
) -> None:
    looked = run("db", "prune", "--older-than", "365", "--dry-run", settings=settings)
    assert "2 reviews came before" in looked.stdout
    assert "3 stay" in looked.stdout
    refused = run("db", "prune", "--older-than", "365", settings=settings)  # nobody is there to answer
    assert refused.returncode == 1
    assert left(database) == {*names, "new"}


def test_nothing_is_pruned_while_a_run_may_read_it(
    settings: Settings, database: Database, names: dict[str, int]
) -> None:
    with database.transaction() as cursor:
        taxonomy = taxonomies.register(cursor, "test", "1", "{}")
        cursor.execute(
            """
            WITH snapshot AS (
                INSERT INTO training_snapshots (taxonomy_id, sha, review_ids, revisions, categories, confidences,
                    trusted, accepted, counts, gold_ids, gold_revisions, gold_categories, gold_ambiguous)
                VALUES (%s, 'x', '{}', '{}', '{}', '{}', 0, 0, '{}', '{}', '{}', '{}', '{}') RETURNING id)
            INSERT INTO training_runs (taxonomy_id, snapshot_id, experiment, architecture, seed, arguments, asked_by,
                auto_promote, time_limit_s)
            SELECT %s, id, 1, 'linear', 1, '{}', 'test', false, 60 FROM snapshot
            """,
            (taxonomy, taxonomy),
        )
    refused = run("db", "prune", "--older-than", "365", "--yes", settings=settings)
    assert refused.returncode == 2
    assert "expected no training that reads old reviews, found unfinished runs (1)" in refused.stderr
    assert left(database) == {*names, "new"}


def test_a_review_that_was_pruned_is_new_when_it_comes_again(
    settings: Settings, database: Database, names: dict[str, int], taxonomy: int
) -> None:
    assert run("db", "prune", "--older-than", "365", "--yes", settings=settings).returncode == 0
    stored = take_reviews(database, taxonomy, review("plain", "туфли"))
    assert (stored.new, stored.replaced) == (1, 0)
    assert ledger.astray(database) == []


def test_a_review_that_somebody_is_about_to_judge_stays(
    database: Database, names: dict[str, int], taxonomy: int
) -> None:
    before = datetime.now(UTC) - timedelta(days=365)
    with database.transaction() as judging:
        gold.record(judging, [GoldAnswer(names["plain"], 1, "shoes", "a")], taxonomy)
        with database.transaction() as cursor:
            assert retention.prune(cursor, before, 100) == 1
    with database.transaction() as cursor:
        assert retention.prune(cursor, before, 100) == 0
    assert left(database) == {*names, "new"} - {"edited"}


def test_what_comes_again_while_it_is_old_is_in_line_and_stays(
    database: Database, names: dict[str, int]
) -> None:
    before = datetime.now(UTC) - timedelta(days=365)
    with database.transaction() as cursor:
        other = taxonomies.register(cursor, "test", "2", "{}")
    with database.transaction() as coming:
        incoming = [Message([review("plain", "туфли")], [])]
        assert upserted(coming, incoming, other, "keywords").in_line == {names["plain"]: "keywords"}
        with database.transaction() as cursor:
            assert retention.prune(cursor, before, 100) == 1
    with database.transaction() as cursor:
        assert retention.prune(cursor, before, 100) == 0
    assert "plain" in left(database)


def test_judgements_about_a_review_that_is_gone_are_left_out(
    database: Database, names: dict[str, int], taxonomy: int
) -> None:
    gone = max(names.values()) + 1_000
    with database.transaction() as cursor:
        gold.record(cursor, [GoldAnswer(gone, 1, "shoes", "a")], taxonomy)
        labels.settle_by_people(cursor, [(gone, 1, "shoes")], taxonomy)
        labels.settle_from_outside(cursor, [(gone, 1, "shoes", 0.9)], taxonomy, "others")
    for table in ("gold", "labels"):
        assert ask(database, f"SELECT count(*) FROM {table} WHERE review_id = %s", gone) == [(0,)]


def test_what_awaits_a_prediction_stays_unless_it_waits_for_a_champion(
    database: Database, names: dict[str, int], taxonomy: int
) -> None:
    with database.transaction() as cursor:
        cursor.execute(
            """
            INSERT INTO awaiting_prediction (review_id, taxonomy_id, revision, sent_at)
            VALUES (%s, %s, 1, now()), (%s, %s, 2, NULL)
            """,
            (names["plain"], taxonomy, names["edited"], taxonomy),
        )
        assert retention.prune(cursor, datetime.now(UTC) - timedelta(days=365), 100) == 1
    assert left(database) == {*names, "new"} - {"edited"}


def test_a_batch_of_which_messages_are_missing_is_not_forgotten(
    settings: Settings, database: Database, take
) -> None:
    whole = BatchPart(id=UUID("00000000-0000-4000-8000-000000000001"), number=0, last=True)
    part = BatchPart(id=UUID("00000000-0000-4000-8000-000000000002"), number=0)
    take(review("a", "туфли"), batch=whole)
    take(review("b", "туфли"), batch=part)
    with database.transaction() as cursor:
        cursor.execute("UPDATE batches SET created_at = now() - interval '400 days'")
    assert run("db", "prune", "--older-than", "365", "--yes", settings=settings).returncode == 0
    assert ask(database, "SELECT id::text FROM batches") == [(str(part.id),)]
