"""Paid answers of language models. Implements `shared.stages.llm.cache.AnswerCache` in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from shared.stages.llm import Choice
from shared.store.postgres.database import Database
from shared.store.postgres.fetched import first_value

NEWEST = 200
"""Answers whose tokens tell what the next ones will take."""


class StoredAnswers:
    """Keeps choices by key, each call in a transaction of its own: what is paid for outlives a failed batch."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, keys: Sequence[str]) -> Mapping[str, Choice]:
        """The choices that are known, by key."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "SELECT encode(key, 'hex'), choice FROM llm_answers WHERE key = ANY(%s)",
                ([bytes.fromhex(key) for key in keys],),
            )
            return {key: msgspec.convert(choice, Choice) for key, choice in cursor.fetchall()}

    def put(self, choices: Mapping[str, Choice]) -> None:
        """Remember choices by key; the first answer stays."""
        rows = [(bytes.fromhex(key), msgspec.json.encode(choices[key]).decode()) for key in sorted(choices)]
        with self._database.transaction() as cursor:
            execute_values(
                cursor, "INSERT INTO llm_answers (key, choice) VALUES %s ON CONFLICT DO NOTHING", rows
            )


def tokens_per_answer(cursor: Cursor) -> float | None:
    """The mean of the newest answers; None where there are none, or nobody has counted."""
    cursor.execute(
        """
        SELECT nullif(avg(coalesce((choice->>'tokens_in')::integer, 0) + coalesce((choice->>'tokens_out')::integer, 0)),
            0)::float8
        FROM (SELECT choice FROM llm_answers ORDER BY at DESC, key LIMIT %s) newest
        """,
        (NEWEST,),
    )
    return first_value(cursor, float)


def unscored(cursor: Cursor) -> tuple[int, int]:
    """How many of the newest answers came without log-probabilities, and how many these are."""
    cursor.execute(
        """
        SELECT count(*) FILTER (WHERE coalesce(choice->'logprobs', 'null') = 'null'), count(*)
        FROM (SELECT choice FROM llm_answers ORDER BY at DESC, key LIMIT %s) newest
        """,
        (NEWEST,),
    )
    without, looked_at = cursor.fetchall()[0]
    return without, looked_at
