"""What `otzyv status` says of the language model."""

from __future__ import annotations

from scripts.service.status import language_model
from shared.settings import load
from shared.stages.llm import Choice
from shared.store import Database
from shared.store.llm.answers import StoredAnswers


def test_answers_without_log_probabilities_are_told(database: Database):
    asked = {"cascade_stages": "keywords,llm", "llm_url": "http://127.0.0.1:1/v1"}

    def told(**more: object) -> list[str]:
        with database.transaction() as cursor:
            return language_model(cursor, load(**asked, **more))

    answers = StoredAnswers(database)
    answers.put({"aa" * 32: Choice("A", {"A": -0.1})})
    assert told() == []
    answers.put({"bb" * 32: Choice("A"), "cc" * 32: Choice("B")})
    (line,) = told()
    assert line.startswith("language model: 2 of its newest 3 answers: each came without log-probabilities")
    assert told(llm_logprobs=False) == [], "nobody has asked for any"
