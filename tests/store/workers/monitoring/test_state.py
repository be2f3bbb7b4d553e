"""What beat reads for Prometheus, and how long reviews took to their labels and predictions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from shared.labelling.labeller import Labeller
from shared.settings import load
from shared.store import Database
from shared.store.reports import state
from shared.store.reports.state import State
from tests.store.shared.serving.test_serving import Models, World
from tests.support.roles import RoleUrl
from tests.support.stored import ask, review
from workers.monitoring.system_state import SystemState

HOUR = 3_600.0
TODAY = date(2026, 11, 24)


def read(database: Database) -> State:
    with database.transaction() as cursor:
        return state.read(cursor, TODAY)


def change(database: Database, statement: str, *values: object) -> None:
    with database.transaction() as cursor:
        cursor.execute(statement, values)


@pytest.fixture
def world(tiny: Models, database: Database, tmp_path: Path) -> World:
    return World(tiny, database, tmp_path / "models")


def test_an_empty_system_has_nothing_to_tell(database: Database) -> None:
    nobody = state.Backlog(0, 0.0)
    assert read(database) == State({}, nobody, 0, {}, {}, {}, {}, 0)


def test_who_waits_is_counted_by_stage_with_the_age_of_the_oldest(database: Database, take: Callable) -> None:
    take(review("1", "туфли"), review("2", "обувь"), review("3", "сапоги"))
    change(database, "UPDATE waiting SET since = now() - interval '2 hours' WHERE review_id = 1")
    change(database, "UPDATE waiting SET stage = 'llm' WHERE review_id = 3")
    found = read(database).waiting
    assert {stage: backlog.count for stage, backlog in found.items()} == {"keywords": 2, "llm": 1}
    assert 2 * HOUR <= found["keywords"].oldest_s < 3 * HOUR
    assert 0 <= found["llm"].oldest_s < HOUR


def test_predictions_that_are_due_are_told_apart_from_those_that_wait_for_a_champion(world: World) -> None:
    first, second, _ = world.take()
    change(world.database, "UPDATE awaiting_prediction SET sent_at = NULL WHERE review_id = %s", first)
    change(
        world.database, "UPDATE reviews SET received_at = now() - interval '5 hours' WHERE id = %s", second
    )
    found = read(world.database)
    assert (found.unpredicted.count, found.parked) == (2, 1)
    assert 5 * HOUR <= found.unpredicted.oldest_s < 6 * HOUR


def test_models_failures_alarms_runs_and_tokens_are_counted(world: World) -> None:
    world.promote("first")
    world.promote("second")
    change(
        world.database,
        "INSERT INTO failures (digest, queue, reason) SELECT sha256(n::text::bytea), 'cpu.keywords', 'r' "
        "FROM generate_series(1, 3) n",
    )
    for age in (0, 1, 2):
        change(
            world.database,
            """INSERT INTO alarms (model_id, day, kind, value, "limit", n) VALUES (%s, %s, 'disagreement', 1, 0, 1)""",
            world.numbers["first"],
            TODAY - timedelta(days=age),
        )
    change(world.database, "INSERT INTO llm_usage (day, tokens) VALUES (%s, 5), (%s, 7)", TODAY, "2001-01-01")
    found = read(world.database)
    assert found.models == {(world.here.taxonomy.name, "champion"): world.numbers["second"]}
    assert found.failures == {"cpu.keywords": 3}
    change(world.database, "INSERT INTO streams (name, next_offset) VALUES ('shop', 0)")
    assert read(world.database).failures == {"cpu.keywords": 3, "stream shop": 0}, "before its first failure"
    assert found.alarms == {"disagreement": 2}, "today's and yesterday's"
    assert found.tokens_today == 5


def test_the_role_of_beat_may_read_all_of_it(database: Database, as_role: RoleUrl, take: Callable) -> None:
    take(review("1", "туфли"))
    own = Database(as_role("worker"))
    try:
        assert ask(own, "SELECT current_user") == [("otzyv_worker",)]
        assert read(own).waiting["keywords"].count == 1
    finally:
        own.close()


def test_without_a_broker_beat_still_tells_about_the_store(database: Database, database_url: str) -> None:
    chosen = load(amqp_url="amqp://guest:guest@127.0.0.1:1//", database_url=database_url)
    found = {family.name: family for family in SystemState(chosen).collect()}
    up = {sample.labels["service"]: sample.value for sample in found["otzyv_service_up"].samples}
    assert up == {"broker": 0, "database": 1}
    assert "otzyv_queue_messages" not in found
    assert [sample.value for sample in found["otzyv_reviews_parked"].samples] == [0]


def test_a_label_is_as_late_as_its_review_has_been_stored_by_the_databases_clock(
    database: Database, take: Callable, cascade: Labeller
) -> None:
    stored = take(review("1", "туфли"), review("2", "обувь"), review("3", "сапоги"))
    change(database, "UPDATE reviews SET received_at = now() - interval '1 hour' WHERE id = 1")
    change(database, "UPDATE reviews SET received_at = now() - interval '2 hours' WHERE id = 2")
    outcome = cascade.run("keywords", stored.first_stage)
    (kept,) = outcome.counts.kept_after_s
    assert HOUR <= kept < 2 * HOUR
    to_people = sorted(outcome.counts.to_people_after_s)
    assert 0 < to_people[0] < HOUR
    assert 2 * HOUR <= to_people[1] < 3 * HOUR
    assert outcome.counts.passed_on == 2
    again = cascade.run("keywords", stored.first_stage)
    assert (again.counts.kept_after_s, again.counts.to_people_after_s, again.counts.passed_on) == ([], [], 0)


def test_a_prediction_is_as_late_as_its_review_has_been_stored(world: World) -> None:
    world.promote("first")
    ids = world.take()
    change(world.database, "UPDATE reviews SET received_at = now() - interval '1 hour' WHERE id = %s", ids[0])
    outcome = world.predictor.run(ids)
    assert len(outcome.after_s) == outcome.predicted == 3
    assert HOUR <= max(outcome.after_s) < 2 * HOUR
    assert world.predictor.run(ids).after_s == []
