"""A verdict that was kept stands in its label's row, and goes to `verdicts` when another label takes that place."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.cascade.stage import Answer, Match, Verdict
from shared.labelling.labeller import Labeller
from shared.labelling.rules import Rules
from shared.store import Database, labels, verdicts
from shared.store.judged import judges
from shared.store.labels import Label
from shared.store.places import WaitingReview
from shared.store.reports import export
from tests.support.stored import ask, dump, review, take_reviews
from tests.support.threads import at_once

SAID = "SELECT stage, revision, category, round(confidence::numeric, 2)::float8, model FROM all_verdicts ORDER BY 1, 2"
MOVED = "SELECT category, revision, score, (SELECT model FROM judges WHERE id = judge), evidence::text FROM verdicts"
MATCHED = '[[0,5,"т"]]'


@pytest.fixture
def kept(database, take, cascade) -> int:
    """A review whose label the keyword stage has given."""
    stored = take(review("1", "туфли"))
    cascade.run("keywords", stored.first_stage)
    return stored.ids[0][0]


def found(database: Database, taxonomy: int, name: str = "1") -> export.Labelled:
    with database.transaction() as cursor:
        return export.by_names(cursor, [("shop", name)], taxonomy)["shop", name]


def test_a_verdict_that_was_kept_has_no_row_of_its_own(database, taxonomy, kept):
    assert ask(database, "SELECT * FROM verdicts") == []
    assert ask(database, SAID) == [("keywords", 1, "shoes", 0.9, "first letters")]
    assert ask(database, "SELECT model FROM labelled_reviews") == [("first letters",)]
    word = {"word": "туфли", "start": 0, "end": 5, "keyword": "т", "category": "shoes"}
    assert found(database, taxonomy).evidence == [word]


def test_the_view_of_labels_reads_verdicts_only_where_somebody_asks_for_the_model(database):
    plans = [
        ask(database, f"EXPLAIN SELECT {column} FROM labelled_reviews") for column in ("category", "model")
    ]
    assert ["verdicts" in str(plan) for plan in plans] == [False, True]


@pytest.mark.parametrize("method", ["people", "outside", "by hand"])
def test_the_verdict_of_a_label_that_is_replaced_is_kept(database, taxonomy, kept, method):
    with database.transaction() as cursor:
        if method == "people":
            labels.settle_by_people(cursor, [(kept, 1, "toys")], taxonomy)
        elif method == "outside":
            labels.settle_from_outside(cursor, [(kept, 1, "toys", 0.7)], taxonomy, "their model")
        else:  # or by an Otzyv of before, which knows nothing of the columns
            cursor.execute("UPDATE labels SET category = 'toys', stage = NULL, status = 'human'")
    assert ask(database, MOVED) == [("shoes", 1, None, "first letters", MATCHED)]
    assert ask(database, "SELECT category, judge, score, evidence FROM labels") == [
        ("toys", None, None, None)
    ]
    assert ask(database, SAID) == [("keywords", 1, "shoes", 0.9, "first letters")]
    assert ask(database, "SELECT category, stage FROM label_history") == [("shoes", "keywords")]
    assert found(database, taxonomy).evidence is None


def test_the_verdict_on_a_text_that_was_replaced_is_kept_until_there_is_a_new_one(
    database, taxonomy, take, kept, cascade
):
    again = take(review("1", "тапочки"))
    assert ask(database, MOVED) == [("shoes", 1, None, "first letters", MATCHED)]
    cascade.run("keywords", again.first_stage)
    assert ask(database, SAID) == [("keywords", 2, "shoes", 0.9, "first letters")]
    assert found(database, taxonomy).evidence[0]["word"] == "тапочки"
    cascade.run("keywords", take(review("1", "очки")).first_stage)
    assert ask(database, SAID) == [("keywords", 3, "toys", 0.4, "first letters")]
    assert ask(database, "SELECT count(*) FROM label_history") == [(2,)]


def test_the_same_label_by_people_once_more_changes_no_row(database, taxonomy, kept):
    give = [(kept, 1, "shoes")]
    with database.transaction() as cursor:
        labels.settle_by_people(cursor, give, taxonomy)
    before = dump(database)
    with database.transaction() as cursor:
        labels.settle_by_people(cursor, give, taxonomy)
    assert dump(database) == before


class Naming:
    """A stage whose evidence has names, or matches of another category than its own."""

    name = "student"
    model = "naming"
    default_threshold = 0.8

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        other = (Match("очки", 0, 4, "очки", "toys"), Match("и", 3, 4, "и", "shoes"))
        return [Answer(Verdict("shoes", 0.9, other if text == "очки" else {"next": text})) for text in texts]


def test_evidence_of_every_kind_comes_back_as_it_was(database, taxonomy):
    cascade = Labeller(
        database, taxonomy, ("student",), {"student": Naming()}, Rules(taxonomy, {"student": 0.8})
    )
    both = review("1", "очки"), review("2", "туфли")
    stored = take_reviews(database, taxonomy, *both, first_stage="student")
    cascade.run("student", stored.first_stage)
    assert found(database, taxonomy).evidence == [
        {"word": "очки", "start": 0, "end": 4, "keyword": "очки", "category": "toys"},
        {"word": "и", "start": 3, "end": 4, "keyword": "и", "category": "shoes"},
    ]
    assert found(database, taxonomy, "2").evidence == {"next": "туфли"}


def test_labels_and_verdicts_of_new_reviews_are_added_without_a_line(database, taxonomy, take):
    (first, second), *_ = take(review("1", "туфли"), review("2", "очки")).ids
    match = (Match("туфли", 0, 5, "т", "shoes"),)
    rows = [
        Label(second, 1, "toys", 0.4, "keywords", "needs_review"),
        Label(first, 1, "shoes", 0.9, "keywords", "accepted", 0.95, match, "first letters"),
    ]
    unsure = [(WaitingReview(second, 1, "очки"), Verdict("toys", 0.4, score=0.5))]
    judge = "keywords", "first letters"
    with database.transaction() as cursor:
        known = judges.numbers(cursor, [judge])
        labels.add(cursor, rows, taxonomy, known)
        labels.add(cursor, [], taxonomy, known)
        verdicts.add(cursor, unsure, taxonomy, "keywords", known[judge])
        verdicts.add(cursor, [], taxonomy, "keywords", known[judge])
    query = "SELECT review_id, round(score::numeric, 2)::float8, model, evidence::text FROM all_verdicts ORDER BY 1"
    assert ask(database, query) == [
        (first, 0.95, "first letters", MATCHED),
        (second, 0.5, "first letters", "[]"),
    ]
    assert ask(database, "SELECT review_id, judge FROM labels ORDER BY 1") == [(first, 1), (second, None)]


def test_processes_that_ask_at_once_get_the_same_number_of_a_judge(database):
    def number(_: int) -> int:
        with database.transaction() as cursor:
            return judges.numbers(cursor, [("keywords", "new")])["keywords", "new"]

    assert len({*at_once(number, range(4))}) == 1
    assert ask(database, "SELECT stage, model FROM judges") == [("keywords", "new")]


def test_a_new_judge_lasts_whatever_its_transaction_was_begun_as(database):
    asked = "SELECT source FROM pg_settings WHERE name = 'synchronous_commit'"
    for judge, lasts in ((("keywords", "new"), True), (("keywords", "new"), False)):
        with database.transaction(lasts=False) as cursor:
            judges.numbers(cursor, [judge])
            cursor.execute(asked)
            assert (cursor.fetchone() != ("session",)) is lasts
