"""Training runs: asked for, claimed under a lease, kept alive, ended. The table is the queue; messages only wake.

Whoever claims a run gets a number, its attempt. Every later write names it, and does nothing once the run has gone to
somebody else: a process that was thought dead cannot spoil its successor's work.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import astuple
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json, execute_values

from shared.catalogue import STUDENT
from shared.store.postgres.fetched import all_of, first_column, first_of, first_value, returned

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class Asked(msgspec.Struct, frozen=True):
    """A run that somebody wants. `arguments` are those of `shared.training.arguments`."""

    architecture: str
    seed: int
    arguments: dict[str, Any]
    asked_by: str
    reason: str
    auto_promote: bool
    time_limit_s: int


class Run(Asked, frozen=True):
    """A run as it stands. `key` names its folder; `facts` tell what it was trained on and what it cost."""

    id: int
    key: str
    experiment: int
    taxonomy_id: int
    snapshot_id: int
    status: Status
    cancel_requested: bool
    attempt: int
    crashes: int
    worker: str
    progress: float
    message: str
    spent_s: float
    facts: dict[str, Any]
    model_id: int | None
    verdict: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class LoggedValue(msgspec.Struct, frozen=True):
    """One logged value."""

    name: str
    step: int
    epoch: float
    value: float


FORMER_NAMES: Final = {
    "validation_loss": "held_out_loss",
    "weighted_f1": "held_out_weighted_f1",
    "macro_f1": "held_out_macro_f1",
}
"""What Otzyv 0.2.0 called the figures of the validation part, and what they are called since."""

_COLUMNS = ", ".join(f"r.{name}::text" if name == "key" else f"r.{name}" for name in Run.__struct_fields__)
_SELECT = f"SELECT {_COLUMNS} FROM training_runs r"  # noqa: S608  names of fields
_MINE = "id = %(run)s AND attempt = %(attempt)s AND status = 'running'"


def ask(cursor: Cursor, taxonomy_id: int, snapshot_id: int, wanted: Sequence[Asked]) -> tuple[int, list[int]]:
    """Queue runs as one experiment; returns its number and theirs."""
    cursor.execute("SELECT nextval('training_experiments')")
    experiment = returned(cursor)
    of_all = (experiment, taxonomy_id, snapshot_id)
    rows = execute_values(
        cursor,
        """
        INSERT INTO training_runs (experiment, taxonomy_id, snapshot_id, architecture, seed, arguments, asked_by,
            reason, auto_promote, time_limit_s) VALUES %s RETURNING id
        """,
        [(*of_all, one.architecture, one.seed, Json(one.arguments), *astuple(one)[3:]) for one in wanted],
        fetch=True,
    )
    return experiment, sorted(row[0] for row in rows)


def get(cursor: Cursor, run: int) -> Run | None:
    """A run by its number."""
    cursor.execute(f"{_SELECT} WHERE r.id = %s", (run,))
    return first_of(cursor, Run)


def of_taxonomy(cursor: Cursor, name: str, limit: int = 1_000) -> list[Run]:
    """The runs of any version of a taxonomy, newest first."""
    cursor.execute(
        f"{_SELECT} JOIN taxonomies t ON t.id = r.taxonomy_id WHERE t.name = %s ORDER BY r.id DESC LIMIT %s",
        (name, limit),
    )
    return all_of(cursor, Run)


def of_experiment(cursor: Cursor, experiment: int) -> list[Run]:
    """The runs of one experiment, oldest first."""
    cursor.execute(f"{_SELECT} WHERE r.experiment = %s ORDER BY r.id", (experiment,))
    return all_of(cursor, Run)


def claim(cursor: Cursor, worker: str, lease_s: int, crashes: int) -> Run | None:
    """Take the oldest run that is queued, or whose holder has not been heard of since its lease ended.

    A run whose holders have vanished more than `crashes` times fails instead. Two callers at once get different ones.
    """
    cursor.execute(
        """
        WITH dead AS (
            SELECT id, crashes + (status = 'running')::integer AS times FROM training_runs
            WHERE status = 'queued' OR (status = 'running' AND lease_until < now()) FOR UPDATE SKIP LOCKED)
        UPDATE training_runs r SET status = 'failed', finished_at = now(), lease_until = NULL, crashes = times,
            message = 'broken off ' || times || ' times, the last time here: ' || message
        FROM dead WHERE r.id = dead.id AND times > %s
        """,
        (crashes,),
    )
    cursor.execute(
        f"""
        UPDATE training_runs r SET status = 'running', attempt = attempt + 1, worker = %(worker)s, message = '',
            crashes = crashes + (status = 'running')::integer, started_at = coalesce(started_at, now()),
            lease_until = now() + make_interval(secs => %(lease)s)
        WHERE id = (
            SELECT id FROM training_runs
            WHERE (status = 'queued' OR (status = 'running' AND lease_until < now()))
            ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING {_COLUMNS}
        """,  # noqa: S608
        {"worker": worker, "lease": lease_s},
    )
    return first_of(cursor, Run)


class LeaseState(msgspec.Struct, frozen=True):
    """What the holder of a lease is told when it is renewed."""

    cancel_requested: bool
    spent_s: float


def renew(
    cursor: Cursor,
    run: int,
    attempt: int,
    *,
    lease_s: int,
    spent_s: float,
    progress: float,
    message: str,
    points: Sequence[LoggedValue] = (),
) -> LeaseState | None:
    """Say that a run is alive, how far it is, and what it has logged; None where it is no longer this holder's.

    `spent_s` are seconds since the last time. Points that are logged again, as after a resumption, are replaced.
    """
    what = """
        lease_until = now() + make_interval(secs => %(lease)s), spent_s = spent_s + %(spent)s,
        progress = %(progress)s, message = %(message)s
    """
    _update(cursor, run, attempt, what, lease=lease_s, spent=spent_s, progress=progress, message=message)
    state = first_of(cursor, LeaseState)
    newest = {(one.name, one.step): one for one in points}
    if state is not None and newest:
        execute_values(
            cursor,
            """
            INSERT INTO training_metrics (run_id, name, step, epoch, value) VALUES %s
            ON CONFLICT (run_id, name, step) DO UPDATE SET epoch = excluded.epoch, value = excluded.value
            """,
            [(run, one.name, one.step, one.epoch, one.value) for one in newest.values()],
        )
    return state


def hold(cursor: Cursor, run: int, attempt: int) -> bool | None:
    """Lock a run of this holder until the transaction ends; whether it was cancelled, None where it is not its own."""
    cursor.execute(
        f"SELECT cancel_requested FROM training_runs WHERE {_MINE} FOR UPDATE",  # noqa: S608
        {"run": run, "attempt": attempt},
    )
    return first_value(cursor, bool)


def release(cursor: Cursor, run: int, attempt: int, *, crashed: bool, message: str) -> bool:
    """Put a run back in the queue; False where it is no longer this holder's."""
    what = """
        status = 'queued', lease_until = NULL, worker = '', message = %(message)s,
        crashes = crashes + %(crashed)s::integer
    """
    return _update(cursor, run, attempt, what, crashed=crashed, message=message)


def end(cursor: Cursor, run: int, attempt: int, status: Status, message: str) -> bool:
    """End a run that failed or was cancelled; False where it is no longer this holder's."""
    what = "status = %(status)s, finished_at = now(), lease_until = NULL, message = %(message)s"
    return _update(cursor, run, attempt, what, status=status, message=message)


def keep_model(
    cursor: Cursor, run: int, attempt: int, model_id: int, answers: Sequence[str], facts: dict[str, Any]
) -> bool:
    """Note the model that a run has made, which is not ended yet; False where it is no longer this holder's."""
    what = "model_id = %(model)s, answers = %(answers)s, facts = %(facts)s"
    return _update(cursor, run, attempt, what, model=model_id, answers=list(answers), facts=Json(facts))


def succeed(cursor: Cursor, run: int, attempt: int, verdict: dict[str, Any], message: str) -> bool:
    """End a run that has a model; False where it is no longer this holder's."""
    what = """
        status = 'succeeded', finished_at = now(), lease_until = NULL, progress = 1, verdict = %(verdict)s,
        message = %(message)s
    """
    return _update(cursor, run, attempt, what, verdict=Json(verdict), message=message)


def _update(cursor: Cursor, run: int, attempt: int, what: str, **values: object) -> bool:
    cursor.execute(
        f"UPDATE training_runs SET {what} WHERE {_MINE} RETURNING cancel_requested, spent_s",  # noqa: S608  constants
        {"run": run, "attempt": attempt, **values},
    )
    return cursor.rowcount == 1


def cancel(cursor: Cursor, run: int) -> Status | None:
    """Ask for a run to be cancelled. One that nobody works on is at once; returns its status, None where there is none.

    A running one is cancelled by its holder, at its next step; one whose lease has ended has none.
    """
    cursor.execute(
        """
        UPDATE training_runs r SET cancel_requested = status IN ('queued', 'running'),
            finished_at = CASE WHEN idle THEN now() ELSE finished_at END,
            lease_until = CASE WHEN idle THEN NULL ELSE lease_until END,
            message = CASE WHEN NOT idle THEN message WHEN attempt = 0 THEN 'cancelled before it began'
                ELSE 'cancelled at ' || round(100 * progress) || ' %%, while nobody worked on it' END,
            status = CASE WHEN idle THEN 'cancelled' ELSE status END
        FROM (
            SELECT id, status = 'queued' OR (status = 'running' AND lease_until < now()) AS idle
            FROM training_runs WHERE id = %s FOR UPDATE) held
        WHERE r.id = held.id RETURNING r.status
        """,
        (run,),
    )
    row = cursor.fetchone()
    return None if row is None else row[0]


def answers(cursor: Cursor, run: int) -> list[str]:
    """What a run's model says about the gold of its snapshot."""
    cursor.execute("SELECT coalesce(answers, '{}') FROM training_runs WHERE id = %s", (run,))
    return list(first_value(cursor, list) or ())


def points(cursor: Cursor, run: int) -> list[LoggedValue]:
    """All that a run has logged, by name and step. What 0.2.0 has logged has its name of today."""
    cursor.execute(
        "SELECT coalesce(%s::jsonb ->> name, name) AS name, step, epoch, value FROM training_metrics "
        "WHERE run_id = %s ORDER BY 1, step",
        (Json(FORMER_NAMES), run),
    )
    return all_of(cursor, LoggedValue)


def unfinished(cursor: Cursor) -> list[int]:
    """Runs that are queued or running."""
    cursor.execute("SELECT id FROM training_runs WHERE status IN ('queued', 'running') ORDER BY id")
    return first_column(cursor)


def lock_schedule(cursor: Cursor, taxonomy: str) -> None:
    """Let one transaction at a time decide whether to retrain."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('retrain'), hashtext(%s))", (taxonomy,))


class News(msgspec.Struct, frozen=True):
    """What has come since the last run of an architecture: is one at work, how many labels and alarms are newer.

    `last_at` is when that run was asked for, None without one, `last_reason` why.
    """

    at_work: bool
    last_at: datetime | None
    last_reason: str
    labels: int
    alarms: int


def news(cursor: Cursor, taxonomy: str, taxonomy_id: int, architecture: str) -> News:
    """What has come since the last run of an architecture on any version of a taxonomy.

    What the stage `student` labelled is no news.
    """
    cursor.execute(
        """
        WITH own AS (
            SELECT r.* FROM training_runs r JOIN taxonomies t ON t.id = r.taxonomy_id
            WHERE t.name = %(taxonomy)s AND r.architecture = %(architecture)s),
        last AS (SELECT created_at, reason FROM own ORDER BY id DESC LIMIT 1)
        SELECT EXISTS (SELECT FROM own WHERE status IN ('queued', 'running')),
               (SELECT created_at FROM last), coalesce((SELECT reason FROM last), ''),
               (SELECT count(*) FROM labels l WHERE l.taxonomy_id = %(id)s AND l.status IN ('accepted', 'human')
                  AND (l.status = 'human' OR l.stage IS DISTINCT FROM %(student)s)
                  AND l.at > coalesce((SELECT created_at FROM last), '-infinity')),
               (SELECT count(*) FROM alarms a JOIN models m ON m.id = a.model_id
                  JOIN taxonomies t ON t.id = m.taxonomy_id WHERE t.name = %(taxonomy)s
                  AND a.at > coalesce((SELECT created_at FROM last), '-infinity'))
        """,
        {"taxonomy": taxonomy, "id": taxonomy_id, "architecture": architecture, "student": STUDENT},
    )
    return News(*cursor.fetchall()[0])
