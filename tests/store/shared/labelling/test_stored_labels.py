"""Labels and verdicts on a real PostgreSQL: given once, to the text that was judged."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from shared.cascade.stage import Answer, Verdict
from shared.labelling.labeller import Labeller
from shared.labelling.rules import Rules
from shared.reviews.wire import BatchPart
from shared.store import labels, places
from shared.store.reports import export, overview
from tests.support import ledger
from tests.support.stored import ByFirstLetter, ask, review, waiting
from tests.support.threads import at_once


class Editing(ByFirstLetter):
    """A stage during which the review's text is replaced: its verdict comes too late."""

    def __init__(self, edit: Any) -> None:
        self._edit = edit

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        self._edit()
        return super().answers(texts)


@pytest.mark.parametrize("old", ["тапочки", "очки", "чайник"])
@pytest.mark.parametrize("order", [("keywords",), ("keywords", "llm")])
def test_a_result_for_a_text_that_was_replaced_meanwhile_becomes_no_label(
    database, taxonomy, take, old, order
):
    stored = take(review("1", old))
    stage = Editing(lambda: take(review("1", "тазик")))
    late = Labeller(database, taxonomy, order, {"keywords": stage}, Rules(taxonomy, {"keywords": 0.8}))
    outcome = late.run("keywords", stored.first_stage)
    assert outcome.forward == []
    assert ask(database, "SELECT * FROM labels") == []
    assert waiting(database) == [("1", 2, "keywords")]
    Labeller(
        database, taxonomy, order, {"keywords": ByFirstLetter()}, Rules(taxonomy, {"keywords": 0.8})
    ).run("keywords", stored.first_stage)
    assert ask(database, "SELECT category, revision FROM labels") == [("shoes", 2)]
    assert ask(database, "SELECT category, revision FROM all_verdicts") == [("shoes", 2)]


def test_a_verdict_on_an_old_text_is_no_guess_and_no_figure_for_the_new_one(
    database, taxonomy, take, cascade
):
    batch = BatchPart(uuid.uuid4(), 0, last=True)
    cascade.run("keywords", take(review("1", "очки")).first_stage)
    cascade.run("keywords", take(review("1", "чайник"), batch=batch).first_stage)
    assert ask(database, "SELECT category, status FROM labels") == [(None, "needs_review")]
    with database.transaction() as cursor:
        counts, mean = overview.confidences(cursor, str(batch.id), taxonomy, "keywords", 10)
    assert (sum(counts), mean) == (0, None)


def test_a_label_made_by_a_person_is_not_overwritten(database, taxonomy, take, cascade):
    stored = take(review("1", "тапочки"))
    cascade.run("keywords", stored.first_stage)
    ask(database, "UPDATE labels SET category = 'toys', status = 'human' RETURNING 1")
    ask(
        database,
        "INSERT INTO waiting SELECT review_id, taxonomy_id, revision, 'keywords' FROM labels RETURNING 1",
    )
    cascade.run("keywords", stored.ids[0])
    assert ask(database, "SELECT category, status FROM labels") == [("toys", "human")]


def test_reviews_that_a_stage_has_judged_before_get_its_new_verdicts_beside_new_ones(database, take, cascade):
    known = take(review("1", "тапочки"), review("2", "очки"))
    cascade.run("keywords", known.first_stage)
    with database.transaction() as cursor:
        cursor.execute("UPDATE verdicts SET category = 'toys', confidence = 0.1, model = 'older'")
        cursor.execute("UPDATE judges SET model = 'older'")
        cursor.execute("INSERT INTO waiting SELECT review_id, taxonomy_id, revision, 'keywords' FROM labels")
    cascade.run("keywords", [*known.ids[0], *take(review("3", "туфли"), review("4", "чайник")).first_stage])
    query = """
        SELECT external_id, v.category, round(v.confidence::numeric, 1)::float8, v.model, l.status
        FROM reviews r JOIN labels l ON l.review_id = r.id LEFT JOIN all_verdicts v ON v.review_id = r.id ORDER BY 1
    """
    assert ask(database, query) == [
        ("1", "shoes", 0.9, "first letters", "accepted"),
        ("2", "toys", 0.4, "first letters", "needs_review"),
        ("3", "shoes", 0.9, "first letters", "accepted"),
        ("4", None, None, None, "needs_review"),
    ]
    assert waiting(database) == []


def test_the_same_batch_at_two_workers_is_labelled_once(database, take, cascade):
    stored = take(*(review(str(number), "тапочки") for number in range(200)))
    at_once(lambda _: cascade.run("keywords", stored.first_stage), range(2))
    assert ask(database, "SELECT count(*) FROM labels") == [(200,)]
    assert ask(database, "SELECT count(*) FROM label_history") == [(0,)]
    assert waiting(database) == []


def test_labels_are_found_by_the_names_of_the_customers_system(database, taxonomy, take, cascade):
    cascade.run("keywords", take(review("1", "тапочки"), review("2", "очки")).first_stage)
    take(review("3", "чайник"))
    names = [("shop", number) for number in "1234"]
    with database.transaction() as cursor:
        found = export.by_names(cursor, names, taxonomy)
    assert {name[1]: (row.category, row.status) for name, row in found.items()} == {
        "1": ("shoes", "accepted"),
        "2": ("toys", "needs_review"),
        "3": (None, "waiting"),
    }


def test_an_overdue_review_is_sent_again_once(database, taxonomy, take):
    stored = take(review("1", "тапочки"), review("2", "очки"))
    ask(
        database,
        "UPDATE waiting SET sent_at = now() - interval '1 hour' WHERE review_id = %s RETURNING 1",
        stored.ids[0][0],
    )
    with database.transaction() as cursor:
        assert places.overdue(cursor, taxonomy, "keywords", 60, 10) == [stored.ids[0][0]]
    with database.transaction() as cursor:
        assert places.overdue(cursor, taxonomy, "keywords", 60, 10) == []


class Hesitant(ByFirstLetter):
    """A stage that answers everything, and is never sure."""

    name = "student"
    model = "hesitant"

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        return [Answer(Verdict("dishes", 0.1)) for _ in texts]


def test_the_guess_of_a_stage_that_was_taught_goes_before_a_surer_one_by_words(database, taxonomy, take):
    stages = {"keywords": ByFirstLetter(), "student": Hesitant()}
    order = ("keywords", "student")
    cascade = Labeller(database, taxonomy, order, stages, Rules(taxonomy, {"keywords": 0.8}))
    outcome = cascade.run("keywords", take(review("1", "очки")).first_stage)
    cascade.run("student", outcome.forward)
    query = "SELECT category, stage, status FROM labels"
    assert ask(database, query) == [("dishes", "student", "needs_review")]


def test_reviews_that_nobody_was_sure_of_wait_once_more_and_all_others_stay(
    database, taxonomy, take, cascade
):
    cascade.run(
        "keywords", take(review("1", "очки"), review("2", "туфли"), review("3", "чайник")).first_stage
    )
    with database.transaction() as cursor:
        assert labels.unsure(cursor, taxonomy) == 2
        first = labels.reopen(cursor, taxonomy, "student", 0, 1)
        rest = labels.reopen(cursor, taxonomy, "student", first[-1], 10)
        assert labels.reopen(cursor, taxonomy, "student", 0, 10) == []
    assert len(first) == len(rest) == 1
    assert waiting(database) == [("1", 1, "student"), ("3", 1, "student")]
    assert ledger.astray(database) == []
    assert ask(database, "SELECT count(*) FROM label_history") == [(2,)]
    stages = {"keywords": ByFirstLetter(), "student": Hesitant()}
    again = Labeller(database, taxonomy, ("keywords", "student"), stages, Rules(taxonomy, {"student": 0.1}))
    again.run("student", [*first, *rest])
    query = "SELECT stage, status, count(*) FROM labels GROUP BY 1, 2 ORDER BY 1"
    assert ask(database, query) == [("keywords", "accepted", 1), ("student", "accepted", 2)]


def test_a_review_whose_text_was_replaced_meanwhile_is_not_opened(database, taxonomy, take, cascade):
    cascade.run("keywords", take(review("1", "очки")).first_stage)
    take(review("1", "очки новые"))
    with database.transaction() as cursor:
        assert labels.reopen(cursor, taxonomy, "student", 0, 10) == []
    assert waiting(database) == [("1", 2, "keywords")]
