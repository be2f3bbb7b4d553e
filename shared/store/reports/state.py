"""How much waits and what is wrong, as the metrics of beat show it.

Cheap: nothing here reads labels, verdicts or texts.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.store.processes import waits

# A stream is counted from its arrival on, not from its first failure: what grows from nothing is seen then.
_FAILURES = """
    SELECT queue, sum(n)::bigint FROM (
        SELECT queue, count(*) AS n FROM failures GROUP BY queue
        UNION ALL SELECT 'stream ' || name, 0 FROM streams
    ) AS known GROUP BY queue
"""


class Backlog(msgspec.Struct, frozen=True):
    """Reviews that wait, and for how many seconds the oldest has."""

    count: int
    oldest_s: float


class State(msgspec.Struct, frozen=True):
    """The system at one moment, over all taxonomies.

    `waiting` is by stage; `failures` by queue; `models` by taxonomy and alias, 0 where it was taken away; `alarms` by
    kind; `runs` by status; `oldest_wait_s` is for how long what fails has been tried again.
    """

    waiting: dict[str, Backlog]
    unpredicted: Backlog
    parked: int
    failures: dict[str, int]
    models: dict[tuple[str, str], int]
    alarms: dict[str, int]
    runs: dict[str, int]
    tokens_today: int
    oldest_wait_s: float = 0.0


def read(cursor: Cursor, today: date) -> State:
    """What there is now; `today` is the day in UTC."""
    waiting = _rows(
        cursor,
        "SELECT stage, count(*), extract(epoch FROM now() - min(since))::float8 FROM waiting GROUP BY stage",
    )
    ((sent, parked, first),) = _rows(
        cursor,
        """
        SELECT count(*) FILTER (WHERE sent_at IS NOT NULL), count(*) FILTER (WHERE sent_at IS NULL),
               min(review_id) FILTER (WHERE sent_at IS NOT NULL) FROM awaiting_prediction
        """,
    )
    # The lowest id for the oldest: a join over a long line would take longer than anybody waits, just when it matters.
    aged = _rows(
        cursor, "SELECT extract(epoch FROM now() - received_at)::float8 FROM reviews WHERE id = %s", first
    )
    return State(
        {stage: Backlog(count, max(0.0, oldest)) for stage, count, oldest in waiting},
        Backlog(sent, max((0.0, *(age for (age,) in aged)))),
        parked,
        dict(_rows(cursor, _FAILURES)),
        {
            (taxonomy, alias): model_id
            for taxonomy, alias, model_id in _rows(
                cursor,
                """
                SELECT DISTINCT ON (taxonomy, alias) taxonomy, alias, coalesce(model_id, 0)
                FROM model_aliases ORDER BY taxonomy, alias, id DESC
                """,
            )
        },
        dict(_rows(cursor, "SELECT kind, count(*) FROM alarms WHERE day >= %s - 1 GROUP BY kind", today)),
        dict(_rows(cursor, "SELECT status, count(*) FROM training_runs GROUP BY status")),
        sum(row[0] for row in _rows(cursor, "SELECT tokens FROM llm_usage WHERE day = %s", today)),
        waits.oldest_s(cursor),
    )


def _rows(cursor: Cursor, statement: str, *values: object) -> list[tuple[Any, ...]]:
    cursor.execute(statement, values)
    return cursor.fetchall()
