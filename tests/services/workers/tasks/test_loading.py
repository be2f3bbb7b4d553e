"""A promotion asks the workers that run whether they can load the model: those that were started elsewhere say no."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
from pathlib import Path

import pytest

from shared.classifiers import Location
from shared.classifiers.packaging.package import package
from shared.runtime import runtime
from shared.serving.registry import Registry
from shared.settings import Settings
from shared.store import Database
from tests.support import ledger, tiny_linear, training_data
from tests.support.processes import run, running
from tests.support.producer import publish, review
from tests.support.servers import wait_until
from tests.support.stored import ask


@pytest.fixture
def number(settings: Settings, database: Database, tmp_path: Path) -> int:
    """A model that lies in the folder `here` and nowhere else, as an earlier Otzyv has left it."""
    here = runtime.build(settings, database)
    registry = Registry(database, Location(str(tmp_path / "here")), here.taxonomy, here.taxonomy_id)
    return registry.register(
        package(tiny_linear.model(), here.taxonomy, tiny_linear.TEXTS, registry.location)
    )


def otzyv(settings: Settings, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(*arguments, settings=settings, OTZYV_MODELS=str(folder))


def said(done: subprocess.CompletedProcess[str], status: int = 0) -> str:
    assert done.returncode == status, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


def test_a_model_that_a_worker_cannot_load_is_neither_promoted_nor_predicts_anew_until_the_database_keeps_it(
    settings: Settings, database: Database, tmp_path: Path, number: int
) -> None:
    here, alone = tmp_path / "here", "no worker runs that could be asked whether it can load it"
    promote, backfill = ("models", "promote", str(number)), ("backfill", "--model", str(number))
    assert alone in said(otzyv(settings, here, *promote, "--as", "challenger"))
    with running(settings, tmp_path, "worker cpu", OTZYV_MODELS=str(tmp_path / "there")):
        wait_until(lambda: "ready." in (tmp_path / "cpu.log").read_text(), "the worker")
        for command in (promote, backfill):
            refused = said(otzyv(settings, here, *command), 2)
            assert (
                f"model {number}: expected every worker to load it, found 1 of 1 that cannot; cpu@" in refused
            )
            assert f"says: {tmp_path / 'there'}: expected the file marketplace/" in refused
            assert f"`otzyv models keep {number} --folder FOLDER`" in refused
        assert ask(database, "SELECT count(*) FROM backfills") == [(0,)]
        noted = said(otzyv(settings, here, *promote, "--anyway"))
        assert "found 1 of 1 that cannot" in noted
        assert f"model {number} is champion; workers" in noted
        publish(settings, json.dumps({"reviews": [review(1, "Платье село отлично")]}).encode())
        wait_until(lambda: ledger.count(database, "waits") > 0, "the worker to say that it cannot load it")
        said(otzyv(settings, here, *backfill, "--anyway"))
        parts = "SELECT count(*) > 0 FROM waits WHERE starts_with(what, 'backfill 1 part ')"
        wait_until(lambda: ask(database, parts) == [(True,)], "the backfill to say so too")
        told = said(otzyv(settings, here, "health"))
        assert told.startswith("degraded ")
        # By who judges at the door as the student, and by who predicts.
        assert re.search(rf"model {number}: tried [12] times? since ", told), told
        assert "backfill 1 part " in told
        said(otzyv(settings, here, "models", "withdraw", "champion"))
        said(otzyv(settings, here, "models", "keep", str(number)))
        told = said(otzyv(settings, here, *promote))
        assert "cannot" not in told
        assert alone not in told
        wait_until(lambda: ledger.count(database, "predictions") == 1, "the worker to predict")
        wait_until(lambda: ledger.count(database, "waits") == 0, "all that waited to go on")
        assert said(otzyv(settings, here, "health")) == "ok"


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed: `make models`")
def test_a_training_run_promotes_no_model_that_a_worker_cannot_load(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    training_data.store(database, runtime.build(settings, database).taxonomy_id)
    with running(settings, tmp_path, "worker cpu", OTZYV_MODELS=f"file://{tmp_path / 'there'}"):
        wait_until(lambda: "ready." in (tmp_path / "cpu.log").read_text(), "the worker")
        env = {"OTZYV_MODELS": str(tmp_path / "here"), "OTZYV_TRAINING": str(tmp_path / "training")}
        done = run("train", "linear", "--auto-promote", "--here", settings=settings, **env)
        assert done.returncode == 0, done.stderr
    assert ask(database, "SELECT count(*) FROM model_aliases") == [(0,)]
    ((status, told),) = ask(database, "SELECT status, verdict->>'reason' FROM training_runs")
    assert (status, "expected every worker to load it, found 1 of 1 that cannot" in told) == (
        "succeeded",
        True,
    )
