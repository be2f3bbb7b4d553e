"""Separate CPU and GPU workers over a real RabbitMQ and PostgreSQL, and a server that speaks the OpenAI protocol."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.settings import Settings
from shared.stages.llm.prompt import MAX_CHARS
from shared.stages.llm.quotation import quoted
from shared.store import Database
from shared.taxonomy import default_taxonomy
from tests.conftest import SHARED_DATA
from tests.support import ledger
from tests.support.chat_endpoint import (
    ChatEndpoint,
    Reply,
    chat_endpoint,
    chosen,
    encoded,
    options_in,
    review_in,
)
from tests.support.processes import kill, run, running, started
from tests.support.producer import publish, review
from tests.support.row_files import read_rows, write_rows
from tests.support.servers import wait_until
from workers.app import app
from workers.process.worker_name import claimed
from workers.rabbitmq.connection import connected

VAGUE = "Тростниковая трещотка звучит громко, номер {}"
"""What neither keywords nor word vectors are sure of."""
ALL = ("worker cpu", "worker gpu")


def says(title: str) -> Callable[[dict[str, Any]], Reply]:
    """A model that answers the same for every review."""
    return lambda request: chosen(request, options_in(request)[title])


def llm(endpoint: ChatEndpoint, **more: str) -> dict[str, str]:
    """Surroundings of a worker that asks this server."""
    return {"OTZYV_LLM_URL": endpoint.url, "OTZYV_LLM_MODEL": "test", **more}


def chain(settings: Settings, stages: str) -> Settings:
    return settings.model_copy(update={"cascade_stages": stages})


def labels(database: Database) -> list[tuple[Any, ...]]:
    return ledger.rows(
        database, "SELECT external_id, category, stage, status FROM labelled_reviews ORDER BY external_id"
    )


def vague(count: int) -> bytes:
    return json.dumps({"reviews": [review(n, VAGUE.format(n)) for n in range(count)]}).encode()


@pytest.mark.everyday
def test_what_cheap_stages_are_unsure_of_is_labelled_by_the_llm_and_nothing_else_reaches_it(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    three = chain(settings, "keywords,llm")
    with chat_endpoint(says("обувь")) as endpoint, running(three, tmp_path, *ALL, **llm(endpoint)):
        publish(settings, json.dumps(review(900)).encode(), vague(3))
        wait_until(lambda: ledger.count(database, "labels") == 4, "all labels")
    assert [row[1:] for row in labels(database)] == [
        ("shoes", "llm", "accepted"),
        ("shoes", "llm", "accepted"),
        ("shoes", "llm", "accepted"),
        ("clothes", "keywords", "accepted"),
    ]
    assert len(endpoint.requests) == 3
    assert ledger.astray(database) == []
    assert ledger.rows(database, "SELECT count(*) FROM llm_answers") == [(3,)]


def test_a_gpu_worker_that_is_absent_holds_nothing_up_and_finds_everything_when_it_comes(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    two = chain(settings, "keywords,llm")
    with chat_endpoint(says("обувь")) as endpoint:
        with running(two, tmp_path):
            publish(settings, json.dumps(review(900)).encode(), vague(5))
            wait_until(lambda: ledger.count(database, "labels") == 1, "the sure one")
            waiting = "SELECT stage, count(*) FROM waiting GROUP BY stage"
            wait_until(lambda: ledger.rows(database, waiting) == [("llm", 5)], "the others to wait")
            shown = run("status", settings=two).stdout
            assert "gpu.label" in shown
        with started("worker", "gpu", settings=two, log=tmp_path / "gpu.log", **llm(endpoint)):
            wait_until(lambda: ledger.count(database, "labels") == 6, "the GPU worker to label them")
    assert ledger.astray(database) == []


def test_a_server_that_is_down_is_asked_again_until_it_is_back(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    down = True

    def model(request: dict[str, Any]) -> Reply:
        return (
            encoded({"error": "overloaded"}, 503) if down else chosen(request, options_in(request)["обувь"])
        )

    two = chain(settings, "keywords,llm")
    with chat_endpoint(model) as endpoint, running(two, tmp_path, *ALL, **llm(endpoint)):
        publish(settings, vague(3))
        log = tmp_path / "gpu.log"
        wait_until(lambda: "task.retry" in log.read_text(), "the worker to try again")
        assert ledger.count(database, "labels") == 0
        down = False
        wait_until(lambda: ledger.count(database, "labels") == 3, "the labels")
    assert ledger.astray(database) == []
    assert ledger.count(database, "failures") == 0


def test_one_review_that_gets_no_answer_does_not_hold_its_neighbours_up(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    def model(request: dict[str, Any]) -> Reply:
        if "номер 1" in review_in(request):
            return encoded({"choices": []})
        if "номер 2" in review_in(request):
            return encoded({"error": "busy"}, 429, Retry_After="3600")
        return chosen(request, options_in(request)["обувь"])

    two = chain(settings, "keywords,llm")
    with chat_endpoint(model) as endpoint, running(two, tmp_path, *ALL, **llm(endpoint)):
        publish(settings, vague(5))
        wait_until(lambda: ledger.count(database, "labels") == 4, "all but the busy one")
    found = {name: (stage, status) for name, _, stage, status in labels(database)}
    assert found["0"] == found["3"] == found["4"] == ("llm", "accepted")
    assert found["1"][1] == "needs_review"
    assert ledger.rows(database, "SELECT count(*) FROM waiting WHERE stage = 'llm'") == [(1,)]
    assert ledger.astray(database) == []


def test_a_budget_that_is_spent_lets_reviews_wait_and_a_larger_one_lets_them_go_on(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    two, sweep = chain(settings, "keywords,llm"), {"OTZYV_SWEEP_AFTER_S": "10"}
    with chat_endpoint(says("обувь")) as endpoint:
        small = llm(endpoint, OTZYV_LLM_DAILY_TOKENS="4000", OTZYV_LLM_EXAMPLES="0", **sweep)
        log = tmp_path / "gpu.log"
        with running(two, tmp_path, *ALL, "beat", **small):
            publish(settings, vague(200))
            wait_until(lambda: "stage.budget_spent" in log.read_text(), "the budget to be spent")
            done = ledger.count(database, "labels")
        assert 0 < done < 200
        assert ledger.rows(database, "SELECT tokens FROM llm_usage") == [(101 * len(endpoint.requests),)]
        assert 101 * len(endpoint.requests) <= 4000
        large = {**small, "OTZYV_LLM_DAILY_TOKENS": "0"}
        with running(two, tmp_path, *ALL, "beat", **large):
            wait_until(lambda: ledger.count(database, "labels") == 200, "the sweep to send them again")
    assert ledger.astray(database) == []
    assert len(endpoint.requests) == 200, "nothing was asked twice"


def test_where_tokens_are_rationed_reviews_wait_to_be_chosen_and_each_knows_how_it_was(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    """First few learn the cost, a second day's worth of tokens is chosen by it, and without a limit all others go."""
    two, sweep = chain(settings, "keywords,llm"), {"OTZYV_SWEEP_AFTER_S": "10"}
    processes, everybody = (*ALL, "beat"), 300
    with chat_endpoint(says("обувь")) as endpoint:
        small = llm(endpoint, OTZYV_LLM_DAILY_TOKENS="12000", OTZYV_LLM_EXAMPLES="0", **sweep)
        with running(two, tmp_path, *processes, **small):
            publish(settings, vague(everybody))
            wait_until(lambda: 100 < ledger.count(database, "labels") < everybody, "the tokens to be spent")
            told = run("status", settings=two, **small)
        assert "wait for some" in told.stdout
        asked = ledger.rows(database, "SELECT count(*), count(probability) FROM asked")
        assert asked[0][0] >= ledger.count(database, "labels") > 100
        assert asked[0][1] > 0, "some were drawn at random"
        assert 101 * len(endpoint.requests) <= 12_000
        assert ledger.astray(database) == []
        large = {**small, "OTZYV_LLM_DAILY_TOKENS": "0"}
        with running(two, tmp_path, *processes, **large):
            wait_until(lambda: ledger.count(database, "labels") == everybody, "the others to be let go")
    assert ledger.astray(database) == []
    assert len(endpoint.requests) == everybody, "nothing was asked twice"


def test_rationed_reviews_survive_a_killed_worker_and_lost_messages(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    two, everybody = chain(settings, "keywords,llm"), 150
    with chat_endpoint(says("обувь")) as endpoint:
        small = llm(
            endpoint,
            OTZYV_LLM_DAILY_TOKENS="8000",
            OTZYV_LLM_EXAMPLES="0",
            OTZYV_LLM_CONCURRENCY="2",
            OTZYV_SWEEP_AFTER_S="10",
        )
        with running(two, tmp_path, "worker cpu", "beat", **small):
            publish(settings, vague(everybody))
            with started("worker", "gpu", settings=two, log=tmp_path / "gpu.log", **small) as process:
                wait_until(lambda: len(endpoint.requests) > 5, "the first questions")
                kill(process)
            with connected(settings) as connection, connection.channel() as channel:
                for queue in ("gpu.label", "gpu.label.bulk"):
                    channel.queue_purge(queue)
            assert ledger.astray(database) == []
            with started("worker", "gpu", settings=two, log=tmp_path / "gpu.log", **small):
                wait_until(lambda: ledger.count(database, "labels") > 60, "the tokens to be spent")
                wait_until(lambda: rationed(database), "the others to wait for tokens")
    assert ledger.astray(database) == []
    assert 101 * len(endpoint.requests) <= 8_000 + 101 * 64, (
        "more than the slice of the killed worker was paid twice"
    )


def rationed(database: Database) -> bool:
    """Whether all that wait do so for tokens, or have been chosen."""
    return ledger.rows(
        database,
        """SELECT count(*) FROM waiting w WHERE sent_at <> 'infinity' AND NOT EXISTS (
        SELECT FROM asked a WHERE a.review_id = w.review_id)""",
    ) == [(0,)]


def test_a_gpu_worker_killed_in_the_middle_of_a_batch_loses_nothing_and_pays_for_no_slice_twice(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    two = chain(settings, "keywords,llm")
    with chat_endpoint(says("обувь")) as endpoint:
        more = llm(endpoint, OTZYV_LLM_CONCURRENCY="2")
        log = tmp_path / "gpu.log"
        with running(two, tmp_path):
            publish(settings, vague(400))
            with started("worker", "gpu", settings=two, log=log, **more) as process:
                wait_until(lambda: len(endpoint.requests) > 20, "the first questions")
                kill(process)
            assert ledger.count(database, "labels") < 400, "the worker was done before it could be killed"
            with started("worker", "gpu", settings=two, log=log, **more):
                wait_until(lambda: ledger.count(database, "labels") == 400, "the rest")
    assert ledger.astray(database) == []
    assert len(endpoint.requests) <= 400 + 128, "more than a slice was asked twice"


def test_a_model_that_is_not_there_is_told_when_the_worker_starts(settings: Settings, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the gpu extra")
    two = chain(settings, "keywords,zero_shot")
    told = run("worker", "gpu", settings=two, OTZYV_ZERO_SHOT_MODEL=str(tmp_path / "nowhere"))
    assert told.returncode == 2
    assert "error: " in told.stderr
    assert "nowhere" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.skipif(not (SHARED_DATA / "gold.csv").is_file(), reason="needs the reference data")
def test_the_full_chain_labels_gold_by_separate_workers(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="needs the gpu extra")
    from tests.support import tiny_models

    gold = {row["id"]: row["category"] for row in table("gold.csv")}
    reviews = {row["id"]: row for row in table("reviews.csv") if row["id"] in gold}
    model = tiny_models.xlm_roberta(tmp_path / "nli")
    full = chain(settings, "keywords,zero_shot,similarity,llm")
    file = write_rows(tmp_path / "reviews.csv", list(reviews.values()))
    with chat_endpoint(recorded()) as endpoint:
        # Random weights: whatever they are sure of is noise, so nothing of it is kept.
        more = llm(
            endpoint,
            OTZYV_ZERO_SHOT_MODEL=str(model),
            OTZYV_THRESHOLDS='{"zero_shot": 1.0}',
            OTZYV_DEVICE="cpu",
        )
        with running(full, tmp_path, *ALL, **more):
            assert run("enqueue", file, settings=full, **more).returncode == 0
            wait_until(lambda: ledger.count(database, "labels") == len(gold), "every label")
    assert ledger.astray(database) == []
    titles = {category.slug: category.title for category in default_taxonomy().categories}
    answers = {name: titles[slug] for name, slug, _, _ in labels(database)}
    score = weighted_f1(gold, answers)
    asked = len(endpoint.requests) / len(gold)
    by_stage = ledger.rows(database, "SELECT stage, status, count(*) FROM labels GROUP BY 1, 2 ORDER BY 1, 2")
    print(f"weighted F1 {score:.3f}, {asked:.1%} asked, {by_stage}")
    assert score >= 0.93
    assert asked <= 0.55


def table(name: str) -> list[dict[str, str]]:
    return read_rows(SHARED_DATA / name)


def recorded() -> Callable[[dict[str, Any]], Reply]:
    """A model that answers what the recorded language model answered for the same review."""
    categories = {row["id"]: row["category"] for row in table("llm_labels.csv")}
    titles = {quoted(row["text"], MAX_CHARS): categories[row["id"]] for row in table("reviews.csv")}
    return lambda request: chosen(request, options_in(request)[titles[review_in(request)]])


def weighted_f1(gold: dict[str, str], answers: dict[str, str]) -> float:
    from sklearn.metrics import f1_score

    names = sorted(gold)
    return float(f1_score([gold[n] for n in names], [answers[n] for n in names], average="weighted"))


def test_what_goes_wrong_while_a_worker_starts_is_not_told_of_rabbitmq(
    settings: Settings, database: Database
) -> None:
    told = {"OTZYV_LLM_URL": "http://127.0.0.1:9", "OTZYV_LLM_MODEL": "test", "SSL_CERT_FILE": "/nowhere.pem"}
    ended = run("worker", "gpu", settings=chain(settings, "llm"), **told)
    said = " ".join(ended.stderr.split())
    assert "expected certificates of authorities where SSL_CERT_FILE" in said
    assert "RabbitMQ" not in said
    with pytest.raises(FileNotFoundError), claimed(app, settings, "gpu", None):
        raise FileNotFoundError
