"""What the LLM stage keeps in PostgreSQL: paid answers, the day's tokens, gold reviews as examples."""

from __future__ import annotations

import math

import pytest

from shared.cascade.stage import verdicts
from shared.errors import BudgetSpent, ModelError
from shared.settings import load
from shared.stages.llm import ChatServer, Choice, LlmStage
from shared.stages.llm.stage import FIRST_TOKENS_PER_CHAR
from shared.store import Database, gold, taxonomies
from shared.store.gold import GoldAnswer
from shared.store.llm import budget
from shared.store.llm.answers import StoredAnswers
from shared.store.llm.budget import DailyTokens, spent_today
from tests.support.chat_endpoint import (
    SMALL,
    UNHURRIED,
    by_words,
    chat_endpoint,
    completion,
    encoded,
    review_in,
)
from tests.support.servers import wait_until
from tests.support.stage_contract import built
from tests.support.stored import ask, review, take_reviews
from tests.support.threads import at_once

KEY = "ab" * 32


def test_a_paid_answer_comes_back_as_it_was_and_the_first_one_stays(database: Database):
    answers, choice = StoredAnswers(database), Choice("A", {"A": -0.1, "B": -2.5}, 100, 1)
    answers.put({KEY: choice})
    answers.put({KEY: Choice("B")})
    assert answers.get([KEY, "cd" * 32]) == {KEY: choice}
    assert answers.get([]) == {}


def test_nothing_is_paid_for_twice_even_by_another_process(database: Database):
    with chat_endpoint() as endpoint:
        settings = load(llm_url=endpoint.url)
        for _ in range(2):
            stage = built("llm", SMALL, settings, database, 1)
            assert [v.category for v in verdicts(stage, ["Платье", "Тапки", "Платье"]) if v] == [
                "clothes",
                "shoes",
                "clothes",
            ]
    assert len(endpoint.requests) == 2


def test_workers_that_ask_at_once_stay_within_the_days_tokens(database: Database):
    budget = DailyTokens(database, 1000)
    granted = at_once(lambda _: sum(budget.take(60) for _ in range(10)), range(3))
    assert sum(granted) == 1000 // 60
    with database.transaction() as cursor:
        assert spent_today(cursor) == 60 * 16


def test_what_was_set_aside_and_not_spent_can_be_spent_by_others(database: Database):
    budget = DailyTokens(database, 100)
    assert budget.take(100)
    assert not budget.take(1)
    budget.correct(100, 30)
    assert budget.take(70)
    assert not budget.take(1)


def test_a_spent_budget_is_an_error_of_the_rows_that_were_not_asked_about(database: Database):
    with chat_endpoint() as endpoint:
        settings = load(llm_url=endpoint.url, llm_daily_tokens=1500, llm_examples=0)
        stage = built("llm", SMALL, settings, database, 1)
        assert isinstance(stage, LlmStage)
        found = stage.answers([f"Платье {number}" for number in range(40)])
        left = [answer.error for answer in found if isinstance(answer.error, BudgetSpent)]
    assert 0 < len(endpoint.requests) == 40 - len(left)
    assert 101 * len(endpoint.requests) <= 1500
    assert "found the budget of 1,500 spent; reviews wait until midnight UTC" in str(left[0])


@pytest.fixture
def gold_taxonomy(database: Database) -> int:
    """A taxonomy with three gold reviews."""
    texts = {"1": "Тапки тёплые и мягкие", "2": "Платье нарядное", "3": "Кофта колючая"}
    with database.transaction() as cursor:
        number = taxonomies.register(cursor, SMALL.name, SMALL.version, SMALL.model_dump_json())
    take_reviews(database, number, *(review(name, text) for name, text in texts.items()))
    ids = dict(ask(database, "SELECT external_id, id FROM reviews"))
    with database.transaction() as cursor:
        answers = [("1", "shoes"), ("2", "clothes"), ("3", "clothes")]
        gold.record(cursor, [GoldAnswer(ids[name], 1, slug, "anna") for name, slug in answers], number)
    return number


def test_the_prompt_shows_the_gold_reviews_that_are_most_like_the_one_asked_about(database, gold_taxonomy):
    with chat_endpoint() as endpoint:
        settings = load(llm_url=endpoint.url, llm_examples=1)
        stage = built("llm", SMALL, settings, database, gold_taxonomy)
        assert isinstance(stage, LlmStage)
        prompts = stage.prompts(["Мягкие тапочки", "Нарядное платье на праздник", "Тапки тёплые и мягкие"])
    shown = [prompt.user.split("</пример>")[0].split("<пример>")[-1] for prompt in prompts if prompt]
    assert shown[:2] == ["Тапки тёплые и мягкие", "Платье нарядное"]
    assert shown[2] != "Тапки тёплые и мягкие", "a review is no example for itself"


def test_gold_about_a_text_that_was_replaced_is_no_gold(database, gold_taxonomy):
    take_reviews(database, gold_taxonomy, review("1", "Другой текст"))
    with database.transaction() as cursor:
        assert [row.external_id for row in gold.rows(cursor, gold_taxonomy)] == ["2", "3"]
        assert gold.count(cursor, gold_taxonomy) == 3


def test_tokens_set_aside_for_a_model_that_fails_as_a_whole_can_be_spent_again(database: Database):
    class Broken:
        model = "broken"

        def choose(self, prompts, options):
            raise ModelError(f"no such model for {len(prompts)} prompts and {len(options)} options")

    stage = LlmStage(SMALL, Broken(), budget=DailyTokens(database, 10_000))
    with pytest.raises(ModelError):
        stage.answers(["Платье"])
    with database.transaction() as cursor:
        assert spent_today(cursor) == 0


def test_tokens_are_corrected_on_the_day_on_which_they_were_set_aside(database: Database, monkeypatch):
    tokens_of_a_day = DailyTokens(database, 100)
    monkeypatch.setattr(budget, "today", lambda: "2026-01-31")
    assert tokens_of_a_day.take(100)
    monkeypatch.setattr(budget, "today", lambda: "2026-02-01")
    tokens_of_a_day.correct(100, 30)
    assert [tokens for (tokens,) in ask(database, "SELECT tokens FROM llm_usage ORDER BY day")] == [30]


def estimate(stage: LlmStage, text: str, tokens_per_char: float) -> int:
    (prompt,) = stage.prompts([text])
    assert prompt is not None
    return 1 + math.ceil(tokens_per_char * (len(prompt.system) + len(prompt.user)))


def test_requests_that_were_given_up_for_slowness_count_because_they_may_be_billed(database: Database):
    with chat_endpoint() as endpoint:
        endpoint.model = endpoint.late
        with ChatServer(endpoint.url, "test", timeout_s=0.2, attempts=2) as server:
            stage = LlmStage(SMALL, server, budget=DailyTokens(database, 100_000))
            stage.answers(["Платье"])
        wait_until(lambda: len(endpoint.requests) == 2, "both tries to be seen by the server")
    with database.transaction() as cursor:
        assert spent_today(cursor) == 2 * estimate(stage, "Платье", FIRST_TOKENS_PER_CHAR)


def test_useless_answers_do_not_make_later_estimates_too_large(database: Database):
    with chat_endpoint() as endpoint:
        endpoint.model = lambda request: (
            by_words(request) if "платье 7" in review_in(request).lower() else encoded(completion("Z"))
        )
        with (
            ChatServer(endpoint.url, "test", **UNHURRIED, attempts=1) as patient,
            ChatServer(endpoint.url, "test", timeout_s=0.2, attempts=1) as hasty,
        ):
            stage = LlmStage(SMALL, patient, budget=DailyTokens(database, 100_000))
            stage.answers([f"Платье {number}" for number in range(10)])
            endpoint.model, stage._backend = endpoint.late, hasty
            stage.answers(["Платье"])
    (prompt,) = stage.prompts(["Платье 7"])
    assert prompt is not None
    with database.transaction() as cursor:
        lost = spent_today(cursor) - 10 * 101
    assert lost == pytest.approx(
        estimate(stage, "Платье", 101 / (len(prompt.system) + len(prompt.user))), abs=1
    )
