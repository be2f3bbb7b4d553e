"""Runs in PostgreSQL: snapshots of labels and gold, leases, crashes, cancellation, the schedule."""

from __future__ import annotations

import threading
from itertools import chain
from typing import Any

import pytest

from scripts.training.compare import on_newest_snapshot
from shared.errors import DatabaseUnavailable, TrainingError
from shared.runs import schedule
from shared.runs.lease import ENDED, LOST, Lease
from shared.runs.schedule import asked
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.settings import Settings, load
from shared.store import Database, gold, gpu_claims, runs, snapshots
from shared.store.runs import Run
from shared.training.arguments import arguments
from tests.support import training_data
from tests.support.servers import PATIENCE_S, wait_until
from tests.support.stored import ask, review
from tests.support.threads import at_once
from tests.support.training_data import GOLD, status

LEASE_S = 60
CRASHES = 3


@pytest.fixture
def here(database: Database, database_url: str) -> Runtime:
    """A database with 300 labelled reviews, 60 of them gold."""
    found = runtime.build(load(database_url=database_url), database)
    training_data.store(database, found.taxonomy_id)
    return found


def queue(here: Runtime, *names: str, **fields: Any) -> list[int]:
    wanted = [
        asked(
            arguments(architecture=name),
            **{"asked_by": "test", "reason": "", "auto_promote": False, "time_limit_s": 100, **fields},
        )
        for name in names
    ]
    with here.database.transaction() as cursor:
        return runs.ask(cursor, here.taxonomy_id, snapshots.take(cursor, here.taxonomy_id), wanted)[1]


def claim(here: Runtime, worker: str = "one") -> Run | None:
    with here.database.transaction() as cursor:
        return runs.claim(cursor, worker, LEASE_S, CRASHES)


def expire(here: Runtime) -> None:
    with here.database.transaction() as cursor:
        cursor.execute(
            "UPDATE training_runs SET lease_until = now() - interval '1 second' WHERE status = 'running'"
        )


def registered(here: Runtime) -> int:
    """The number of a model of which nothing but its row is there."""
    query = (
        "INSERT INTO models (taxonomy_id, architecture, artefact_path, artefact_sha, labels, manifest) "
        "VALUES (%s, 'x', 'x', 'x', '{}', '{}') RETURNING id"
    )
    return int(ask(here.database, query, here.taxonomy_id)[0][0])


def get(here: Runtime, number: int) -> Run:
    with here.database.transaction() as cursor:
        found = runs.get(cursor, number)
    assert found is not None
    return found


def test_a_snapshot_holds_labels_and_gold_apart_and_is_the_same_for_the_same_labels(here: Runtime) -> None:
    with here.database.transaction() as cursor:
        number = snapshots.take(cursor, here.taxonomy_id)
        assert snapshots.take(cursor, here.taxonomy_id) == number
        found, rows, gold = (
            snapshots.get(cursor, number),
            snapshots.rows(cursor, number),
            snapshots.gold(cursor, number),
        )
    assert (found.counts, found.gold) == ({"clothes": 120, "shoes": 120}, GOLD)
    assert (len(rows), len(gold)) == (240, GOLD)
    assert not {row.review_id for row in rows} & {row.review_id for row in gold}


def test_a_snapshot_keeps_the_texts_it_was_taken_of(here: Runtime, take: Any) -> None:
    with here.database.transaction() as cursor:
        number = snapshots.take(cursor, here.taxonomy_id)
        before = snapshots.rows(cursor, number), snapshots.gold(cursor, number)
    take(review("3", "Совсем другой текст"), review("299", "И здесь другой"))
    with here.database.transaction() as cursor:
        assert (snapshots.rows(cursor, number), snapshots.gold(cursor, number)) == before
        assert snapshots.take(cursor, here.taxonomy_id) != number


def test_labels_by_people_come_first_and_then_the_surest(here: Runtime) -> None:
    with here.database.transaction() as cursor:
        cursor.execute("UPDATE labels SET confidence = 0.99 WHERE review_id = 7")
        cursor.execute(
            "UPDATE labels SET status = 'human', confidence = NULL, stage = NULL WHERE review_id = 9"
        )
        rows = snapshots.rows(cursor, snapshots.take(cursor, here.taxonomy_id))
    assert [(row.review_id, row.trusted) for row in rows[:3]] == [(9, True), (7, False), (1, False)]


def test_guesses_come_last_with_their_confidence_and_are_not_counted(here: Runtime) -> None:
    with here.database.transaction() as cursor:
        cursor.execute("UPDATE labels SET status = 'needs_review', confidence = 0.4 WHERE review_id = 7")
        cursor.execute("UPDATE labels SET status = 'needs_review', category = NULL WHERE review_id = 9")
        number = snapshots.take(cursor, here.taxonomy_id)
        found, rows = snapshots.get(cursor, number), snapshots.rows(cursor, number)
    assert (len(rows), sum(found.counts.values())) == (239, 238)
    assert (rows[-1].review_id, rows[-1].guess) == (7, pytest.approx(0.4))
    assert rows[-2].guess is None


@pytest.mark.parametrize("drawn_from", ["disagreements", "withheld"])
def test_gold_that_was_drawn_for_what_a_model_says_is_trained_on_and_not_measured_on(
    here: Runtime, drawn_from: str
) -> None:
    drawn = ask(here.database, "SELECT review_id FROM gold ORDER BY 1 LIMIT 5")
    with here.database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO audits (taxonomy_id, seed, population, drawn_from) VALUES (%s, 0, 5, %s) RETURNING id",
            (here.taxonomy_id, drawn_from),
        )
        (audit,) = cursor.fetchone() or (0,)
        for (number,) in drawn:
            cursor.execute(
                "INSERT INTO audit_items (audit_id, review_id, revision, status, probability, answer) "
                "VALUES (%s, %s, 1, 'accepted', 1, 'shoes')",
                (audit, number),
            )
        number = snapshots.take(cursor, here.taxonomy_id)
        rows, test = snapshots.rows(cursor, number), snapshots.gold(cursor, number)
        certifying = gold.rows(cursor, here.taxonomy_id, measuring=True)
        assert len(gold.rows(cursor, here.taxonomy_id)) == GOLD
    assert len(test) == len(certifying) == GOLD - 5
    assert {row[0] for row in drawn} <= {row.review_id for row in rows}


def test_two_workers_never_get_the_same_run(here: Runtime) -> None:
    numbers = queue(here, "linear", "full", "lora")
    found = at_once(lambda _: [run.id for run in iter(lambda: claim(here), None)], range(4))
    assert sorted(chain.from_iterable(found)) == numbers


def test_a_run_whose_holder_has_vanished_is_taken_over_and_the_old_one_can_write_no_more(
    here: Runtime,
) -> None:
    (number,) = queue(here, "linear")
    first = claim(here, "first")
    assert first is not None
    assert claim(here, "second") is None
    expire(here)
    second = claim(here, "second")
    assert second is not None
    assert (second.id, second.attempt, second.crashes) == (number, 2, 1)
    with here.database.transaction() as cursor:
        assert (
            runs.renew(cursor, number, first.attempt, lease_s=9, spent_s=1, progress=0.5, message="") is None
        )
        assert not runs.succeed(cursor, number, first.attempt, {}, "")
        assert not runs.release(cursor, number, first.attempt, crashed=True, message="")
    assert get(here, number).worker == "second"


def test_a_run_that_kills_every_process_fails_in_the_end(here: Runtime) -> None:
    (number,) = queue(here, "linear")
    for _ in range(CRASHES + 1):
        assert claim(here) is not None
        expire(here)
    assert claim(here) is None
    found = get(here, number)
    assert found.status == "failed"
    assert found.message.startswith(f"broken off {CRASHES + 1} times, the last time here: ")


def test_a_run_that_was_given_back_counts_as_no_crash(here: Runtime) -> None:
    (number,) = queue(here, "linear")
    for _ in range(CRASHES + 3):
        run = claim(here)
        assert run is not None
        with here.database.transaction() as cursor:
            assert runs.release(cursor, number, run.attempt, crashed=False, message="worker stopped")
    assert get(here, number).crashes == 0


def test_a_queued_run_is_cancelled_at_once_and_a_running_one_by_its_holder(here: Runtime) -> None:
    first, second = queue(here, "linear", "full")
    with here.database.transaction() as cursor:
        assert runs.cancel(cursor, second) == "cancelled"
        assert runs.cancel(cursor, 999) is None
    run = claim(here)
    assert run is not None
    with here.database.transaction() as cursor:
        assert runs.cancel(cursor, first) == "running"
    with Lease(here.database, run, LEASE_S) as lease:
        assert not lease.stop()
        lease.flush()
        assert (lease.stop(), lease.why) == (True, "cancelled")
    assert status(here.database) == [(first, "running"), (second, "cancelled")]


def test_a_run_that_had_begun_is_not_cancelled_before_it_began(here: Runtime) -> None:
    released, vanished, queued = queue(here, "linear", "linear", "linear")
    for number, share in ((released, 0.31), (vanished, 0.7)):
        run = claim(here)
        assert run is not None
        assert run.id == number
        with here.database.transaction() as cursor:
            runs.renew(cursor, number, 1, lease_s=LEASE_S, spent_s=1, progress=share, message="trains")
    with here.database.transaction() as cursor:
        runs.release(cursor, released, 1, crashed=False, message="its worker was stopped")
    expire(here)
    with here.database.transaction() as cursor:
        assert {runs.cancel(cursor, number) for number in (released, vanished, queued)} == {"cancelled"}
    assert [get(here, number).message for number in (released, vanished, queued)] == [
        "cancelled at 31 %, while nobody worked on it",
        "cancelled at 70 %, while nobody worked on it",
        "cancelled before it began",
    ]
    assert claim(here) is None


def test_all_runs_are_those_on_the_newest_snapshot(here: Runtime) -> None:
    earlier, (later,) = queue(here, "linear", "full"), queue(here, "linear")
    with here.database.transaction() as cursor:
        cursor.execute("UPDATE labels SET status = 'human' WHERE review_id = 9")
    (newest,) = queue(here, "mlp")
    with here.database.transaction() as cursor:
        every = runs.of_taxonomy(cursor, here.taxonomy.name)
    found, others = on_newest_snapshot([run for run in every if run.id != newest])
    assert sorted(run.id for run in found) == [*earlier, later]
    found, others = on_newest_snapshot(every)
    assert ([run.id for run in found], len(others)) == ([newest], 3)
    assert on_newest_snapshot([]) == ([], [])


def test_what_a_run_tells_is_written_with_its_next_sign_of_life_and_nothing_twice(here: Runtime) -> None:
    (number,) = queue(here, "linear")
    run = claim(here)
    assert run is not None
    with Lease(here.database, run, LEASE_S) as lease:
        lease.log(1, 0.5, {"loss": 2.0, "broken": float("nan")})
        lease.log(1, 0.5, {"loss": 1.5})
        lease.progress(0.25)
        lease.say("trains")
        lease.flush()
    with here.database.transaction() as cursor:
        points = runs.points(cursor, number)
    found = get(here, number)
    assert [(one.name, one.step, one.value) for one in points] == [("loss", 1, 1.5)]
    assert (found.progress, found.message) == (0.25, "trains; loss 1.500")
    assert found.spent_s > 0


def test_f1_on_held_out_labels_is_called_that_also_where_an_older_version_has_logged_it(
    here: Runtime,
) -> None:
    (number,) = queue(here, "full")
    run = claim(here)
    assert run is not None
    with Lease(here.database, run, LEASE_S) as lease:
        lease.log(2, 1.0, {"held_out_weighted_f1": 0.5})
        lease.flush()
    with here.database.transaction() as cursor:
        cursor.execute("INSERT INTO training_metrics VALUES (%s, 'weighted_f1', 1, 0.5, 0.25)", (number,))
        points = runs.points(cursor, number)
    assert [(one.name, one.value) for one in points] == [
        ("held_out_weighted_f1", 0.25), ("held_out_weighted_f1", 0.5),
    ]  # fmt: skip
    assert get(here, number).message == "starts; F1 on held-out labels 0.500"


def test_a_process_whose_run_has_gone_to_another_leaves_at_its_next_sign_of_life(here: Runtime) -> None:
    queue(here, "linear")
    run = claim(here)
    assert run is not None
    expire(here)
    assert claim(here, "other") is not None
    left: list[int] = []
    with Lease(here.database, run, LEASE_S, leave=left.append) as lease:
        lease.flush()
    assert left == [LOST]


def test_a_run_over_its_time_limit_fails_with_the_limit_in_the_reason(here: Runtime) -> None:
    (number,) = queue(here, "linear", time_limit_s=1)
    run = claim(here)
    assert run is not None
    with here.database.transaction() as cursor:
        runs.renew(cursor, number, run.attempt, lease_s=9, spent_s=2, progress=0, message="")
    left: list[int] = []
    with Lease(here.database, run, LEASE_S, leave=left.append) as lease:
        lease.flush()
    assert left == [ENDED]
    assert "expected to end within 1 s" in get(here, number).message


def test_a_gpu_is_for_training_or_for_labelling_and_for_several_that_label(
    database: Database,
) -> None:
    waited: list[str] = []
    over = threading.Event()

    def train() -> None:
        with gpu_claims.claimed(database, "GPU-1", "training", lambda: waited.append("train"), look_s=0.05):
            over.set()

    with (
        gpu_claims.claimed(database, "GPU-1", "labelling", lambda: None, look_s=0.05),
        gpu_claims.claimed(database, "GPU-1", "labelling", lambda: None, look_s=0.05),
        gpu_claims.claimed(database, "GPU-2", "training", lambda: None, look_s=0.05),
    ):
        thread = threading.Thread(target=train)
        thread.start()
        wait_until(lambda: waited, "training to wait for the GPU")
        assert not over.is_set()
    assert over.wait(PATIENCE_S)
    thread.join()


def test_a_gpu_claim_is_taken_again_after_its_session_was_ended(database: Database) -> None:
    def sessions() -> list[int]:
        query = (
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = hashtext('otzyv gpu')::oid"
        )
        return [row[0] for row in ask(database, query)]

    with gpu_claims.claimed(database, "GPU-1", "training", lambda: None, look_s=0.05):
        (before,) = sessions()
        ask(database, "SELECT pg_terminate_backend(%s)", before)
        wait_until(lambda: sessions() not in ([], [before]), "the claim to be taken again")


# The schedule


def scheduled(here: Runtime, *, by_clock: bool = False, **fields: Any) -> list[int]:
    chosen: Settings = here.settings.model_copy(update={"retrain": "linear", **fields})
    return schedule.ask(here.database, here.taxonomy, here.taxonomy_id, chosen, by_clock=by_clock)


def test_new_labels_retrain_once_there_are_enough_and_not_while_a_run_is_at_work(here: Runtime) -> None:
    assert scheduled(here, retrain_new_labels=301) == []
    (number,) = scheduled(here, retrain_new_labels=300)
    assert scheduled(here, retrain_new_labels=1) == []
    found = get(here, number)
    assert (found.asked_by, found.auto_promote) == ("schedule", True)
    assert found.reason == "300 labels since the last run"
    with here.database.transaction() as cursor:
        runs.cancel(cursor, number)
    assert scheduled(here, retrain_new_labels=1) == []
    with here.database.transaction() as cursor:
        cursor.execute("UPDATE labels SET at = clock_timestamp() WHERE review_id <= 10")
    assert len(scheduled(here, retrain_new_labels=10)) == 1


def test_two_schedulers_at_once_ask_for_one_run(here: Runtime) -> None:
    found = at_once(lambda _: scheduled(here, retrain_new_labels=1), range(3))
    assert len([*chain.from_iterable(found)]) == 1


def test_an_alarm_retrains_once(here: Runtime) -> None:
    quiet: dict[str, Any] = {"retrain_new_labels": 0}
    (number,) = scheduled(here, retrain_new_labels=1)
    with here.database.transaction() as cursor:
        runs.cancel(cursor, number)
    model = registered(here)
    assert scheduled(here, **quiet) == []
    with here.database.transaction() as cursor:
        cursor.execute(
            'INSERT INTO alarms (model_id, day, kind, value, "limit", n, at) '
            "VALUES (%s, now()::date, 'disagreement', 0.5, 0.2, 100, clock_timestamp())",
            (model,),
        )
    assert scheduled(here, retrain_on_alarm=False, **quiet) == []
    (second,) = scheduled(here, **quiet)
    assert get(here, second).reason == "1 quality alarms since the last run"
    with here.database.transaction() as cursor:
        runs.cancel(cursor, second)
    assert scheduled(here, **quiet) == []


def test_the_clock_retrains_whatever_the_labels_and_two_clocks_count_as_one(here: Runtime) -> None:
    quiet: dict[str, Any] = {"retrain_new_labels": 0}
    assert scheduled(here, **quiet) == []
    (number,) = scheduled(here, by_clock=True, **quiet)
    with here.database.transaction() as cursor:
        runs.cancel(cursor, number)
    assert scheduled(here, by_clock=True, **quiet) == []


def test_too_few_labels_are_no_reason_to_fail_over_and_over(database: Database, database_url: str) -> None:
    empty = runtime.build(load(database_url=database_url), database)
    assert scheduled(empty, by_clock=True) == []


def test_what_a_run_tells_while_the_database_is_away_is_written_once_it_is_back(
    here: Runtime, postgres: str, database_url: str
) -> None:
    (number,) = queue(here, "linear")
    run = claim(here)
    assert run is not None
    lease = Lease(here.database, run, LEASE_S)
    lease.log(1, 0.1, {"loss": 1.0})
    server, name = Database(postgres), database_url.split("?")[0].rsplit("/", 1)[-1]
    ask(server, f"UPDATE pg_database SET datallowconn = false WHERE datname = '{name}' RETURNING 1")
    ask(server, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    with pytest.raises(DatabaseUnavailable):
        lease.flush()
    ask(server, f"UPDATE pg_database SET datallowconn = true WHERE datname = '{name}' RETURNING 1")
    lease.flush()
    with here.database.transaction() as cursor:
        assert [point.value for point in runs.points(cursor, number)] == [1.0]
    server.close()


def test_a_lease_outlives_what_cannot_be_stored_and_waiting_does_not_count_against_the_limit(
    here: Runtime,
) -> None:
    (number,) = queue(here, "linear")
    run = claim(here)
    assert run is not None
    with Lease(here.database, run, 4) as lease:
        lease.wait(True)
        before = get(here, number).spent_s
        lease.log(1, 0.1, {"loss": float("inf"), "learning_rate": 1e-60})
        until = ask(here.database, "SELECT lease_until FROM training_runs")
        wait_until(
            lambda: ask(here.database, "SELECT lease_until FROM training_runs") > until, "a sign of life"
        )
        assert get(here, number).spent_s == before
        lease.wait(False)


def test_a_schedule_with_arguments_out_of_range_is_refused_before_it_begins(here: Runtime) -> None:
    wrong = here.settings.model_copy(update={"retrain": "linear", "retrain_arguments": {"epochs": 0}})
    with pytest.raises(TrainingError, match="epochs"):
        schedule.wanted_arguments(wrong)
