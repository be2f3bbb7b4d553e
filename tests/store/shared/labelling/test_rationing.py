"""Who is asked next where tokens are rationed, on a real PostgreSQL: nobody is lost, and probabilities are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from shared.cascade.stage import Answer, Verdict
from shared.errors import ModelUnavailable
from shared.labelling import rationing
from shared.store import Database, asked, places
from shared.store.llm import budget
from tests.support.stored import ask, review
from tests.support.threads import at_once

TEXTS = ["Платье село по фигуре", "Кофта колючая", "Тапки тёплые", "Наушники хрипят", "Чайник течёт"]
TOKENS = 100
"""Of each answer that is stored here."""


@pytest.fixture
def wait(take, database: Database, taxonomy: int):
    """Let reviews wait for the LLM with guesses, by default the surer the later, and return their ids."""

    def reviews(count: int, confidences: Any = lambda at: 0.3 + 0.6 * at) -> list[int]:
        stored = take(*(review(f"{at}", f"{TEXTS[at % 5]} номер {at}") for at in range(count)))
        ids = sorted(stored.first_stage)
        ask(database, "UPDATE waiting SET stage = 'llm' RETURNING 1")
        with database.transaction() as cursor:
            for at, number in enumerate(ids):
                cursor.execute(
                    "INSERT INTO verdicts (review_id, taxonomy_id, stage, revision, category, confidence, evidence, "
                    "model) VALUES (%s, %s, 'student', 1, 'shoes', %s, '{}', 'm')",
                    (number, taxonomy, confidences(at / count)),
                )
        return ids

    return reviews


def answered(database: Database, answers: int = 1) -> None:
    """Answers that have cost TOKENS each, none of them today."""
    for at in range(answers):
        ask(
            database,
            """INSERT INTO llm_answers (key, choice) VALUES (%s, '{"option": "A", "tokens_in": 99, "tokens_out": 1}')
            RETURNING 1""",
            bytes([at]),
        )


def sent(database: Database) -> list[int]:
    return [
        row[0]
        for row in ask(database, "SELECT review_id FROM waiting WHERE sent_at <> 'infinity' ORDER BY 1")
    ]


def test_reviews_that_reach_the_model_wait_until_they_are_chosen(database, taxonomy, wait):
    ids = wait(10)
    assert rationing.admitted(database, ids, taxonomy) == []
    assert sent(database) == []
    with database.transaction() as cursor:
        assert asked.how_many_await_tokens(cursor) == 10
        assert places.overdue(cursor, taxonomy, "llm", 0, 100) == [], "who waits for tokens is not overdue"
    assert len(ask(database, "SELECT 1 FROM waiting")) == 10


def test_as_many_are_chosen_as_the_tokens_of_today_will_take(database, taxonomy, wait):
    answered(database)
    ids = wait(50)
    rationing.admitted(database, ids, taxonomy)
    with database.transaction() as cursor:
        cursor.execute("INSERT INTO llm_usage VALUES (%s, 1000)", (budget.today(),))
    chosen = rationing.next_asked(database, taxonomy, 2_000 + TOKENS // 2, seed=1)
    assert len(chosen) == 10
    assert sorted(chosen) == sent(database)
    assert rationing.admitted(database, ids, taxonomy) == [number for number in ids if number in chosen]
    assert rationing.next_asked(database, taxonomy, 2_050) == [], "those chosen have no answer yet"


def test_the_doubtful_ones_are_chosen_beside_random_ones_whose_probability_is_kept(database, taxonomy, wait):
    answered(database)
    ids = wait(50)
    rationing.admitted(database, ids, taxonomy)
    rationing.next_asked(database, taxonomy, 10 * TOKENS, seed=1)
    rows = ask(database, "SELECT review_id, probability::float8 FROM asked ORDER BY 1")
    drawn = [number for number, probability in rows if probability is not None]
    assert [probability for _, probability in rows if probability is not None] == pytest.approx([2 / 50] * 2)
    worth = [number for number, _ in rows if number not in drawn]
    assert len(worth) == 8
    assert max(worth) - ids[0] < 25, "of those that the student is less sure of"


class Contrary:
    """A student of now: sure of what the guesses of then were unsure of, and the other way round."""

    name = "student"
    model = "contrary"
    default_threshold = None

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        return [Answer(Verdict("shoes", 1 - int(text.split()[-1]) / 100)) for text in texts]


def test_the_student_of_now_guesses_and_not_the_one_of_when_the_reviews_came(database, taxonomy, wait):
    answered(database)
    rationing.admitted(database, wait(50), taxonomy)
    rationing.next_asked(database, taxonomy, 10 * TOKENS, Contrary, seed=1)
    query = "SELECT external_id::int FROM asked JOIN reviews ON id = review_id WHERE probability IS NULL"
    assert min(number for (number,) in ask(database, query)) >= 25


def test_a_student_that_cannot_be_asked_stops_nobody_from_being_chosen(database, taxonomy, wait):
    def away() -> None:
        raise ModelUnavailable("expected a model, found none")

    answered(database)
    rationing.admitted(database, wait(50), taxonomy)
    assert len(rationing.next_asked(database, taxonomy, 10 * TOKENS, away)) == 10


def test_of_more_than_can_be_looked_at_the_probability_is_still_that_among_all_who_wait(
    database, taxonomy, wait, monkeypatch
):
    monkeypatch.setattr(rationing, "POOL", 25)
    answered(database)
    rationing.admitted(database, wait(50), taxonomy)
    assert len(rationing.next_asked(database, taxonomy, 10 * TOKENS)) == 10
    drawn = ask(database, "SELECT probability::float8 FROM asked WHERE probability IS NOT NULL")
    assert [probability for (probability,) in drawn] == pytest.approx([2 / 50] * 2)


def test_where_the_tokens_take_all_everybody_is_asked_for_certain(database, taxonomy, wait):
    answered(database)
    ids = wait(20)
    rationing.admitted(database, ids, taxonomy)
    assert rationing.next_asked(database, taxonomy, 100 * TOKENS) == ids
    assert ask(database, "SELECT DISTINCT probability FROM asked") == [(1.0,)]


def test_without_any_answer_a_first_few_are_chosen(database, taxonomy, wait, monkeypatch):
    monkeypatch.setattr(rationing, "FIRST", 4)
    rationing.admitted(database, wait(20), taxonomy)
    assert len(rationing.next_asked(database, taxonomy, 1_000)) == 4


def test_nobody_is_chosen_where_the_tokens_are_spent(database, taxonomy, wait):
    answered(database)
    rationing.admitted(database, wait(20), taxonomy)
    with database.transaction() as cursor:
        cursor.execute("INSERT INTO llm_usage VALUES (%s, 1000)", (budget.today(),))
    assert rationing.next_asked(database, taxonomy, 1_000) == []
    assert rationing.next_asked(database, taxonomy, 1_000 + TOKENS - 1) == []
    assert len(ask(database, "SELECT 1 FROM waiting WHERE sent_at = 'infinity'")) == 20


def test_without_a_limit_those_who_waited_are_let_go(database, taxonomy, wait):
    ids = wait(20)
    rationing.admitted(database, ids, taxonomy)
    assert rationing.next_asked(database, taxonomy, 0) == ids
    assert sent(database) == ids
    assert rationing.next_asked(database, taxonomy, 0) == []
    assert ask(database, "SELECT 1 FROM asked") == []


def test_a_chosen_review_whose_message_was_lost_is_overdue_and_not_chosen_again(database, taxonomy, wait):
    answered(database)
    ids = wait(4)
    rationing.admitted(database, ids, taxonomy)
    chosen = rationing.next_asked(database, taxonomy, 2 * TOKENS, seed=1)
    ask(
        database,
        "UPDATE waiting SET sent_at = now() - interval '1 hour' WHERE sent_at < 'infinity' RETURNING 1",
    )
    with database.transaction() as cursor:
        assert places.overdue(cursor, taxonomy, "llm", 60, 10) == sorted(chosen)
    assert rationing.admitted(database, ids, taxonomy) == sorted(chosen)


def test_another_text_has_to_be_chosen_anew(database, taxonomy, take, wait):
    answered(database)
    ids = wait(2)
    rationing.admitted(database, ids, taxonomy)
    assert rationing.next_asked(database, taxonomy, 100 * TOKENS) == ids
    take(review("0", "Совсем другой текст"))
    ask(database, "UPDATE waiting SET stage = 'llm' RETURNING 1")
    assert rationing.admitted(database, ids, taxonomy) == ids[1:]


def test_two_who_choose_at_once_send_nobody_twice(database, taxonomy, wait):
    answered(database)
    rationing.admitted(database, wait(60), taxonomy)
    both = at_once(lambda seed: rationing.next_asked(database, taxonomy, 20 * TOKENS, seed=seed), range(2))
    together = [number for one in both for number in one]
    assert len(together) == len({*together})
    assert sorted(together) == sent(database)


def test_a_withheld_label_is_asked_about_at_random_only(database, taxonomy, wait):
    answered(database)
    ids = wait(40, lambda share: 0.1 if share < 0.5 else 0.9)
    ask(
        database,
        """INSERT INTO withheld (review_id, taxonomy_id, stage, revision, model, category, confidence, score,
            probability)
        SELECT review_id, taxonomy_id, 'student', 1, 'm', 'shoes', 0.1, 0.1, 0.1 FROM waiting WHERE review_id <= %s
        RETURNING 1""",
        ids[19],
    )
    rationing.admitted(database, ids, taxonomy)
    rationing.next_asked(database, taxonomy, 10 * TOKENS, seed=3)
    worth = ask(database, "SELECT review_id FROM asked WHERE probability IS NULL")
    assert len(worth) == 8
    assert all(number > ids[19] for (number,) in worth)


def test_who_waits_for_tokens_goes_on_without_a_stage_that_is_no_longer_in_use(
    database, taxonomy, wait, cascade
):
    rationing.admitted(database, wait(3), taxonomy)
    assert cascade.resettle(10) == {}
    assert ask(database, "SELECT status, count(*) FROM labels GROUP BY 1") == [("needs_review", 3)]
    assert ask(database, "SELECT 1 FROM waiting") == []
