"""Versions of thresholds: what each calibration found, which one holds, and which held before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import astuple
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from shared.cascade.rule import Curve, StageRule
from shared.store.postgres.fetched import all_of, converted, first_value, returned


class Threshold(msgspec.Struct, frozen=True):
    """One row of a version. `value` None keeps nothing; the counts are of the stage's answers on gold."""

    stage: str
    category: str | None
    model: str
    value: float | None
    answers: int | None = None
    kept: int | None = None
    correct: int | None = None
    bound: float | None = None
    curve: Curve | None = None


class Version(msgspec.Struct, frozen=True):
    """One calibration, or one return to earlier thresholds."""

    id: int
    target: float | None
    certainty: float | None
    gold_reviews: int | None
    note: str
    at: datetime


class StoredRule(msgspec.Struct, frozen=True):
    """A stage's rule, and the model whose scores it was made for: those of another one mean something else."""

    model: str
    rule: StageRule


def store(
    cursor: Cursor,
    taxonomy_id: int,
    rows: Sequence[Threshold],
    *,
    target: float | None = None,
    certainty: float | None = None,
    gold_reviews: int | None = None,
    note: str = "",
) -> int:
    """A new version, which holds from its commit on; returns its number. Without rows, the defaults hold again."""
    cursor.execute(
        """
        INSERT INTO threshold_versions (taxonomy_id, target, certainty, gold_reviews, note)
        VALUES (%s, %s, %s, %s, %s) RETURNING id
        """,
        (taxonomy_id, target, certainty, gold_reviews, note),
    )
    version = returned(cursor)
    execute_values(
        cursor,
        """
        INSERT INTO thresholds (version_id, stage, category, model, value, answers, kept, correct, bound, curve)
        VALUES %s
        """,
        [
            (version, *astuple(row)[:-1], row.curve and msgspec.json.encode(row.curve).decode())
            for row in rows
        ],
    )
    return version


def newest(cursor: Cursor, taxonomy_id: int) -> int | None:
    """The version that holds, or None where nothing was ever calibrated."""
    cursor.execute("SELECT max(id) FROM threshold_versions WHERE taxonomy_id = %s", (taxonomy_id,))
    return first_value(cursor, int)


def rows(cursor: Cursor, version: int) -> list[Threshold]:
    """The thresholds of a version, each stage's own before those of its categories."""
    cursor.execute(
        """
        SELECT stage, category, model, value, answers, kept, correct, bound, curve FROM thresholds
        WHERE version_id = %s ORDER BY stage, category NULLS FIRST
        """,
        (version,),
    )
    return converted(cursor, Threshold)


def versions(cursor: Cursor, taxonomy_id: int, limit: int) -> list[Version]:
    """The newest versions, newest first."""
    cursor.execute(
        """
        SELECT id, target, certainty, gold_reviews, note, at FROM threshold_versions
        WHERE taxonomy_id = %s ORDER BY id DESC LIMIT %s
        """,
        (taxonomy_id, limit),
    )
    return all_of(cursor, Version)


def current(cursor: Cursor, taxonomy_id: int) -> dict[str, StoredRule]:
    """The rules that hold now, by stage."""
    return rules(cursor, newest(cursor, taxonomy_id))


def rules(cursor: Cursor, version: int | None) -> dict[str, StoredRule]:
    """A version as rules by stage; none without one."""
    found = [] if version is None else rows(cursor, version)
    return {
        row.stage: StoredRule(
            row.model,
            StageRule(
                row.value,
                {r.category: r.value for r in found if r.stage == row.stage and r.category is not None},
                row.curve,
                version,
            ),
        )
        for row in found
        if row.category is None
    }
