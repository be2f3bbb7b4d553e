"""`otzyv plan`: what a file would take, from a sample, asking nobody unless told to."""

from __future__ import annotations

import json
from copy import copy
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scripts.cli import app
from shared.errors import OtzyvError
from shared.settings import Settings
from tests.support.chat_endpoint import chat_endpoint, chosen, completion, encoded, options_in


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["plan", *map(str, arguments)])


def planned(*arguments: object) -> dict[str, Any]:
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.output + repr(result.exception)
    found: dict[str, Any] = json.loads(result.stdout[result.stdout.index("{") :])
    return found


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    rows = ["Красивое платье"] * 60 + ["Тростниковая трещотка звучит громко"] * 40
    path.write_text("text\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_the_shares_of_a_sample_stand_for_the_whole_file(shared_data: Path, monkeypatch):
    monkeypatch.setenv("OTZYV_CASCADE_STAGES", "keywords")
    found = planned(shared_data / "reviews.csv", "--sample", "1000")
    (stage,) = found["stages"]
    low, high = stage["interval"]
    assert low <= 5504 / 8297 <= high
    assert (found["rows"], found["sample"]) == (8297, 1000)
    assert found["totals"]["eta_seconds"] > 0


def test_tokens_and_cost_are_reckoned_from_the_prompts_without_asking_anybody(reviews, monkeypatch):
    monkeypatch.setenv("OTZYV_CASCADE_STAGES", "keywords,llm")
    monkeypatch.setenv("OTZYV_LLM_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OTZYV_LLM_PRICE_IN", "2")
    monkeypatch.setenv("OTZYV_LLM_PRICE_OUT", "8")
    monkeypatch.setenv("OTZYV_LLM_DAILY_TOKENS", "10000")
    found = planned(reviews)
    keywords, llm = found["stages"]
    assert (keywords["keeps"], llm["reviews"]) == (0.6, 40)
    prompt = found["prompt"]["system"] + found["prompt"]["user"]
    assert llm["tokens_in_each"] == pytest.approx(0.35 * len(prompt))
    assert llm["cost"] == pytest.approx(40 * (2 * llm["tokens_in_each"] + 8) / 1e6)
    assert found["totals"]["days"] == pytest.approx(40 * (llm["tokens_in_each"] + 1) / 10_000)
    assert found["totals"]["eta_seconds"] is None
    shown = invoke(reviews).stdout
    assert "One question to the language model" in shown
    assert "Тростниковая трещотка звучит громко" in shown
    assert "unknown until every stage is measured" in shown


def test_some_reviews_are_really_asked_about_when_that_is_wanted(reviews, monkeypatch):
    monkeypatch.setenv("OTZYV_CASCADE_STAGES", "keywords,llm")
    with chat_endpoint(lambda request: chosen(request, options_in(request)["обувь"])) as endpoint:
        monkeypatch.setenv("OTZYV_LLM_URL", endpoint.url)
        found = planned(reviews, "--ask", "5")
    llm = found["stages"][1]
    # Five equal reviews are one question.
    assert len(endpoint.requests) == 1
    assert llm["keeps"] == 1.0
    assert llm["tokens_in_each"] == 20
    assert found["totals"]["eta_seconds"] > 0


def test_answers_without_log_probabilities_are_told_by_the_plan(reviews, monkeypatch):
    monkeypatch.setenv("OTZYV_CASCADE_STAGES", "keywords,llm")
    with chat_endpoint(lambda request: encoded(completion(options_in(request)["обувь"]))) as endpoint:
        monkeypatch.setenv("OTZYV_LLM_URL", endpoint.url)
        llm = planned(reviews, "--ask", "5")["stages"][1]
    assert llm["keeps"] == 0.0
    assert llm["note"].startswith("5 of 5 answers: each came without log-probabilities")


def test_a_server_that_answers_nobody_is_told(reviews, monkeypatch):
    monkeypatch.setenv("OTZYV_CASCADE_STAGES", "keywords,llm")
    with chat_endpoint(lambda _: encoded({}, 401)) as endpoint:
        monkeypatch.setenv("OTZYV_LLM_URL", endpoint.url)
        result = invoke(reviews, "--ask", "5")
    assert isinstance(result.exception, OtzyvError)


def test_a_model_that_cannot_be_loaded_is_told_and_the_plan_goes_on(reviews, monkeypatch):
    monkeypatch.setenv("OTZYV_CASCADE_STAGES", "keywords,zero_shot,llm")
    monkeypatch.setenv("OTZYV_ZERO_SHOT_MODEL", "./nowhere")
    found = planned(reviews)
    zero_shot, llm = found["stages"][1:]
    assert zero_shot["keeps"] is None
    assert zero_shot["note"]
    assert llm["reviews"] == 40


def test_without_a_server_the_student_rests_says_why_once_and_leaves_the_plan_whole(reviews, monkeypatch):
    monkeypatch.setenv("OTZYV_CASCADE_STAGES", "keywords,student")
    monkeypatch.setenv(
        "OTZYV_DATABASE_URL", Settings.model_fields["database_url"].default.replace("5432", "1")
    )
    assert "left out: student, which rests: PostgreSQL did not finish: " in invoke(reviews).stderr
    monkeypatch.setitem(Settings.model_fields, "database_url", no_server())
    done = invoke(reviews)
    assert (
        done.stderr.count(
            "left out: student, which rests: its model would be in a database, and none answers"
        )
        == 1
    )
    assert "student: rests: no database was reached that may have its model" in done.stdout
    assert "student: student" not in done.output
    assert "unknown until every stage" not in done.stdout


def no_server() -> Any:
    """The setting as it is where nobody has named a server, and none runs."""
    field = copy(Settings.model_fields["database_url"])
    field.default = Settings.model_fields["database_url"].default.replace("5432", "1")
    return field


def test_a_file_that_cannot_be_read_is_refused_as_everywhere(tmp_path):
    result = invoke(tmp_path / "nothing.csv")
    assert isinstance(result.exception, OtzyvError)
