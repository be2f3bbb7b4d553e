"""A stage that is added by one file and one row goes the whole way: settings, queues, task, labels, commands."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from shared.settings import Settings
from shared.store import Database
from tests.support import ledger
from tests.support.processes import ROOT, environment, launched
from tests.support.producer import publish, review
from tests.support.servers import wait_until
from tests.support.shouting_stage import ROW

COMMAND = [sys.executable, "-m", "tests.support.shouting_stage"]


@contextmanager
def started(*arguments: str, settings: Settings, log: Path, **more: str) -> Iterator[None]:
    with launched([*COMMAND, *arguments], environment(settings, PYTHONPATH=str(ROOT), **more), log):
        yield


@pytest.mark.parametrize("judge_first", ["true", "false"], ids=["judged first", "stored first"])
def test_a_stage_is_one_file_and_one_row(
    settings: Settings, database: Database, tmp_path: Path, judge_first: str
) -> None:
    chain = settings.model_copy(update={"cascade_stages": "keywords,shouting"})
    commands = ["worker cpu --processes 1", *(["ingest"] if judge_first == "false" else [])]
    with ExitStack() as stack:
        for command in commands:
            log, way = tmp_path / f"{command}.log", {"OTZYV_JUDGE_FIRST": judge_first}
            stack.enter_context(started(*command.split(), settings=chain, log=log, **way))
        vague = [review(1, "ТРЕЩОТКА ЗВУЧИТ ГРОМКО"), review(2, "Трещотка звучит громко")]
        publish(settings, json.dumps({"reviews": vague}).encode())
        wait_until(lambda: ledger.count(database, "labels") == 2, "both labels")
    labels = ledger.rows(database, "SELECT stage, status FROM labelled_reviews ORDER BY external_id")
    assert labels[0] == ("shouting", "accepted")
    assert labels[1][1] == "needs_review", "nobody is sure of it: the new stage was the last one"
    assert ledger.astray(database) == []
    shown = subprocess.run(
        [*COMMAND, "status"],
        env=environment(chain, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert ROW.queue in shown
