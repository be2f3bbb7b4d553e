"""What is tried again and again: noted where people look, and gone with the first success."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from scripts.service import status
from scripts.service.waited import waited
from shared.classifiers import Location
from shared.errors import DatabaseUnavailable, ModelError
from shared.runtime import runtime
from shared.serving.loader import Loader
from shared.settings import load
from shared.store import Database, models
from shared.store.processes import waits
from shared.store.processes.waits import Wait, Waiting
from tests.support.command import run_here
from tests.support.stored import ask
from workers.monitoring.system_state import SystemState


def listed(database: Database, begins: str = "") -> list[Wait]:
    with database.transaction() as cursor:
        return waits.listed(cursor, begins)


def aged(database: Database, seconds: int) -> None:
    with database.transaction() as cursor:
        cursor.execute(
            "UPDATE waits SET (since, next_at) = "
            "(SELECT since - past, next_at - past FROM make_interval(secs => %s) AS past)",
            (seconds,),
        )


def test_tries_are_counted_and_alike_waits_are_told_as_one(database: Database) -> None:
    first = Waiting(database, "queue cpu.classify", "cpu@a", "task 1")
    for reason in ("away", "still away"):
        first.again(reason, 60)
    Waiting(database, "queue cpu.classify", "cpu@b", "task 2").again("still away", 60)
    Waiting(database, "backfill 3 part 1", "cpu@b", "task 3").again(ModelError("none found"), 60)
    known = {(one.what, one.reason, one.count, one.tries, one.who) for one in listed(database)}
    assert known == {
        ("queue cpu.classify", "still away", 2, 2, "cpu@a"),
        ("backfill 3 part 1", "none found", 1, 1, "cpu@b"),
    }
    (mine,) = listed(database, "backfill 3 ")
    assert waited(mine).startswith("backfill 3 part 1: tried 1 time since ")
    assert waited(mine).endswith("UTC, by cpu@b: none found")
    assert listed(database, "backfill 33 ") == []


def test_a_wait_ends_with_success_whoever_tried_last_and_with_a_process_that_is_gone(
    database: Database,
) -> None:
    Waiting(database, "queue cpu.classify", "cpu@a", "task 1").again("away", 60)
    another = Waiting(database, "queue cpu.classify", "cpu@b", "task 1")
    another.over()
    assert len(listed(database)) == 1, "it has noted none itself"
    another.over(certainly=True)
    assert listed(database) == []
    another.again("away", 60)
    aged(database, 60 + waits.LAPSE_S - 1)
    assert len(listed(database)) == 1
    aged(database, 2)
    assert listed(database) == []
    another.again("away", 60)
    (anew,) = listed(database)
    assert anew.tries == 1
    with database.transaction() as cursor:
        assert waits.oldest_s(cursor) < 60
        waits.forget(cursor)
    assert ask(database, "SELECT count(*) FROM waits") == [(1,)]
    aged(database, 200_000)
    with database.transaction() as cursor:
        waits.forget(cursor)
    assert ask(database, "SELECT count(*) FROM waits") == [(0,)]


def test_what_fails_because_the_database_is_away_is_not_noted_and_nothing_fails_over_a_note(
    database: Database,
) -> None:
    Waiting(database, "queue cpu.classify").again(DatabaseUnavailable("away"), 60)
    assert listed(database) == []
    nowhere = Waiting(Database("postgresql://nobody@127.0.0.1:1/none"), "queue cpu.classify")
    nowhere.again("away", 60)
    nowhere.over(certainly=True)


def test_a_model_that_cannot_be_loaded_is_told_by_status_health_quality_and_a_metric(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    here = runtime.build(load(), database)
    with database.transaction() as cursor:
        number = models.register(
            cursor,
            here.taxonomy_id,
            architecture="linear",
            path="marketplace/linear-0",
            sha256="00" * 32,
            labels=here.taxonomy.slugs,
            manifest=b"{}",
        )
    loader = Loader(database, Location(str(tmp_path / "nowhere")), here.taxonomy_id, here.taxonomy.slugs)
    with pytest.raises(ModelError, match="found none"):
        loader.load(number)
    aged(database, 40)
    sentence = f"model {number}: tried 1 time since"
    settings = load(database_url=database_url, amqp_url="amqp://127.0.0.1:1//")
    env = {"OTZYV_DATABASE_URL": database_url, "OTZYV_AMQP_URL": "amqp://127.0.0.1:1//"}
    assert f"waits for its next try: {sentence}" in " ".join(run_here("status", **env).stdout.split())
    assert sentence in " ".join(run_here("quality", **env).stderr.split())
    registry = CollectorRegistry()
    registry.register(SystemState(settings))
    told = dict(
        line.split()
        for line in generate_latest(registry).decode().splitlines()
        if "{" not in line and "#" not in line
    )
    assert float(told["otzyv_oldest_wait_seconds"]) >= 40
    assert status.waiting(database) == [waited(one) for one in listed(database)]
