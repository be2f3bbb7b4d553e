"""The roles of the database do the whole work with the rights they have; what they may not do: tests/store."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.classifiers import Location
from shared.classifiers.packaging.package import package
from shared.runs import schedule
from shared.runtime import runtime
from shared.serving import watching
from shared.serving.registry import Registry
from shared.settings import Settings
from shared.stages.llm import Choice
from shared.store import Database
from shared.store.llm.answers import StoredAnswers
from shared.store.llm.budget import DailyTokens
from tests.support import ledger, tiny_linear, training_data
from tests.support.processes import EXAMPLES, run, running, started
from tests.support.producer import publish
from tests.support.roles import RoleUrl
from tests.support.row_files import fill_in, read_rows
from tests.support.servers import wait_until
from tests.support.stored import ask, review, take_reviews


@pytest.fixture
def settings_of(settings: Settings, as_role: RoleUrl) -> Callable[[str], Settings]:
    """The settings of a process that runs as a role."""
    return lambda role: settings.model_copy(update={"database_url": as_role(role)})


def one_model(database: Database, chosen: Settings, folder: Path) -> int:
    """The number of a small registered model."""
    here = runtime.build(chosen, database)
    registry = Registry(database, Location(str(folder)), here.taxonomy, here.taxonomy_id)
    return registry.register(
        package(tiny_linear.model(), here.taxonomy, tiny_linear.TEXTS, registry.location)
    )


def forgotten(database: Database, chosen: Settings) -> None:
    """A stored review whose message was lost an hour ago."""
    here = runtime.build(chosen, database)
    take_reviews(database, here.taxonomy_id, review("lost", "Платье село отлично"))
    with database.transaction() as cursor:
        cursor.execute("UPDATE waiting SET sent_at = now() - interval '1 hour'")


def test_reviews_go_from_the_queue_to_labels_and_predictions_with_the_workers_rights(
    settings: Settings, settings_of: Callable[[str], Settings], database: Database, tmp_path: Path
) -> None:
    worker, operator = settings_of("worker"), settings_of("operator")
    env = {"OTZYV_MODELS": str(tmp_path / "models"), "OTZYV_SWEEP_AFTER_S": "10"}
    number = one_model(database, settings, tmp_path / "models")
    forgotten(database, settings)
    total = len(read_rows(EXAMPLES)) + 2
    with running(worker, tmp_path, "worker cpu", "beat", **env):
        told = run("models", "promote", str(number), settings=operator, **env)
        assert told.returncode == 0, told.stderr
        publish(settings, b"{", json.dumps({"source": "shop", "id": "1", "text": "Платье"}).encode())
        sent = run("enqueue", EXAMPLES, "--follow", settings=worker, **env)
        assert sent.returncode == 0, sent.stderr
        wait_until(lambda: ledger.count(database, "labels") == total, "all labels, also of what was lost")
        publish(settings, json.dumps({"source": "shop", "id": "1", "text": "Кроссовки жмут"}).encode())
        wait_until(lambda: ledger.count(database, "label_history") == 1, "the label of the old text to go")
        predicted = (
            "SELECT count(*) FROM predictions JOIN reviews r ON r.id = review_id AND r.external_id <> 'lost'"
        )
        wait_until(lambda: ask(database, predicted) == [(total - 1,)], "all predictions")
        wait_until(lambda: ledger.count(database, "waiting") == 0, "the edited one to be labelled anew")
    assert ledger.astray(database) == []
    assert ask(database, "SELECT text FROM review_history") == [("Платье",)]
    assert ask(database, "SELECT convert_from(payload, 'UTF8') FROM failures") == [("{",)]
    logs = "".join((tmp_path / f"{name}.log").read_text() for name in ("cpu", "beat"))
    assert "permission denied" not in logs


def test_upkeep_and_the_language_models_tables_need_no_more_than_the_workers_rights(
    settings: Settings, settings_of: Callable[[str], Settings], database: Database, tmp_path: Path
) -> None:
    number = one_model(database, settings, tmp_path / "models")
    here = runtime.build(settings, database)
    training_data.store(database, here.taxonomy_id)
    Registry(database, Location(str(tmp_path / "models")), here.taxonomy, here.taxonomy_id).promote(
        number, "champion", moved_by="test"
    )
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO predictions (review_id, model_id, revision, category, confidence, truncated, probabilities) "
            "SELECT id, %s, 1, 'home', 0.4, false, '{0.4}' FROM reviews",
            (number,),
        )
    (today,) = ask(database, "SELECT (now() AT TIME ZONE 'UTC')::date")[0]
    worker = Database(settings_of("worker").database_url)
    for _ in range(2):
        watching.watch(worker, here.taxonomy.name, today, watching.limits(settings))
    assert ledger.count(database, "quality") > 0
    assert ledger.count(database, "alarms") > 0
    chosen = settings.model_copy(update={"retrain": "linear", "retrain_new_labels": 1})
    assert schedule.ask(worker, here.taxonomy, here.taxonomy_id, chosen) == [1]
    assert DailyTokens(worker, 100).take(10)
    answers = StoredAnswers(worker)
    answers.put({"00": Choice("1")})
    assert set(answers.get(["00"])) == {"00"}
    worker.close()


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed: `make models`")
def test_a_run_is_trained_and_promoted_with_the_trainers_rights(
    settings: Settings, settings_of: Callable[[str], Settings], database: Database, tmp_path: Path
) -> None:
    here = runtime.build(settings, database)
    training_data.store(database, here.taxonomy_id)
    trainer = settings_of("trainer")
    env = {"OTZYV_MODELS": str(tmp_path / "models"), "OTZYV_TRAINING": str(tmp_path / "training")}
    with started("worker", "train", settings=trainer, log=tmp_path / "train.log", **env):
        done = run("train", "linear", "--auto-promote", "--follow", settings=trainer, **env)
        assert done.returncode == 0, done.stderr + (tmp_path / "train.log").read_text()
    assert training_data.status(database) == [(1, "succeeded")]
    assert ask(database, "SELECT alias, model_id FROM model_aliases") == [("champion", 1)]
    assert "permission denied" not in (tmp_path / "train.log").read_text()


def test_people_check_labels_and_choose_models_with_the_operators_rights(
    settings: Settings, settings_of: Callable[[str], Settings], database: Database, tmp_path: Path
) -> None:
    here = runtime.build(settings, database)
    training_data.store(database, here.taxonomy_id, gold_reviews=0)
    _two_failures(database, here.taxonomy_id)
    operator, table = settings_of("operator"), tmp_path / "audit.csv"
    assert run("audit", "draw", "--n", "10", "--out", table, settings=operator).returncode == 0
    fill_in(table, lambda _: "обувь")
    for command in (
        ("audit", "import", table),
        ("audit", "report"),
        ("labels", "import", _labels(tmp_path), "--method", "file"),
        ("models", "promote", str(one_model(database, settings, tmp_path / "models"))),
        ("thresholds", "reset"),
        ("failures", "list"),
        ("failures", "retry", "--reason", "first"),
        ("failures", "drop", "--reason", "second", "--yes"),
        ("status",),
    ):
        done = run(*command, settings=operator, OTZYV_MODELS=str(tmp_path / "models"))
        assert done.returncode == 0, f"{command}: {done.stderr}"
    assert ledger.count(database, "gold") == 10
    assert ledger.count(database, "failures") == 0


def _two_failures(database: Database, taxonomy_id: int) -> None:
    """Two stored reviews without a label that the keyword stage could not process, for different reasons."""
    with database.transaction() as cursor:
        cursor.execute(
            """
            WITH stored AS (
                INSERT INTO reviews (source, external_id, text, text_sha)
                VALUES ('failed', 'first', 'Платье', ''), ('failed', 'second', 'Чайник', '') RETURNING *)
            INSERT INTO failures (digest, queue, reason, review_id, taxonomy_id, revision)
            SELECT external_id::bytea, 'cpu.keywords', external_id || ' reason', id, %s, revision FROM stored
            """,
            (taxonomy_id,),
        )


def _labels(folder: Path) -> Path:
    path = folder / "labels.csv"
    path.write_text("id,category\n0,одежда\n1,обувь\n", encoding="utf-8")
    return path


def test_a_reader_sees_the_status_before_anything_has_come(settings: Settings, as_role: RoleUrl) -> None:
    shown = run("status", settings=settings.model_copy(update={"database_url": as_role("reader")}))
    assert (shown.returncode, "failures: 0 in a stage" in shown.stdout) == (0, True), shown.stderr
