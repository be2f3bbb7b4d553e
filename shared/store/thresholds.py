"""Versions of thresholds: what each calibration found, which one holds, and which held before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import astuple
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from shared.cascade.rule import Curve, StageRule, is_certified_chain
from shared.store.postgres.fetched import converted, first_of, first_value, returned


class Threshold(msgspec.Struct, frozen=True):
    """One row of a version. `value` None keeps nothing; the counts are of the stage's answers on gold.

    In a version for a whole chain, `value` is the score from which verdicts are kept, else the confidence.
    """

    stage: str
    category: str | None
    model: str
    value: float | None
    answers: int | None = None
    kept: int | None = None
    correct: int | None = None
    bound: float | None = None
    curve: Curve | None = None


class CertifiedChain(msgspec.Struct, frozen=True):
    """A chain certified as a whole: its stages in order, what it kept of gold, its bound, the floors."""

    stages: tuple[str, ...]
    kept: int
    correct: int
    bound: float
    category_floor: float = 0.0
    stage_floor: float = 0.0


class Version(msgspec.Struct, frozen=True):
    """One calibration, or one return to earlier thresholds. `chain` is None where each stage is certified by itself."""

    id: int
    target: float | None
    certainty: float | None
    gold_reviews: int | None
    note: str
    at: datetime
    chain: CertifiedChain | None = None
    calibrated_at: datetime | None = None


class StoredRule(msgspec.Struct, frozen=True):
    """A stage's rule, and the model whose scores it was made for: those of another one mean something else.

    `chain` are the stages of the chain that it was certified in, in order; None where it was certified by itself.
    """

    model: str
    rule: StageRule
    chain: tuple[str, ...] | None = None

    def holds_for(self, model: str, order: Sequence[str]) -> bool:
        """Whether the rule may be used for this model, in a cascade of these stages."""
        return self.model == model and (self.chain is None or is_certified_chain(self.chain, order))


_ADD_ROWS = """
    INSERT INTO thresholds (version_id, stage, category, model, value, answers, kept, correct, bound, curve) VALUES %s
"""


def store(
    cursor: Cursor,
    taxonomy_id: int,
    rows: Sequence[Threshold],
    *,
    target: float | None = None,
    certainty: float | None = None,
    gold_reviews: int | None = None,
    note: str = "",
    chain: CertifiedChain | None = None,
    calibrated_at: datetime | None = None,
) -> int:
    """A new version, which holds from its commit on; returns its number. Without rows, the defaults hold again.

    `calibrated_at` is when the gold was looked at, now where it is None.
    """
    cursor.execute(
        """
        INSERT INTO threshold_versions (taxonomy_id, target, certainty, gold_reviews, note, kind, stages, kept, correct,
            bound, category_floor, stage_floor, calibrated_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, coalesce(%s, now())) RETURNING id
        """,
        (
            *(taxonomy_id, target, certainty, gold_reviews, note),
            *(("chain", list(chain.stages), *astuple(chain)[1:]) if chain else ("stage", *(None,) * 6)),
            calibrated_at,
        ),
    )
    version = returned(cursor)
    execute_values(
        cursor,
        _ADD_ROWS,
        [
            (version, *astuple(one)[:-1], one.curve and msgspec.json.encode(one.curve).decode())
            for one in rows
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


_VERSION = """
    SELECT id, target, certainty, gold_reviews, note, at, CASE kind WHEN 'chain' THEN json_build_object(
        'stages', stages, 'kept', kept, 'correct', correct, 'bound', bound,
        'category_floor', category_floor, 'stage_floor', stage_floor) END, calibrated_at
    FROM threshold_versions
"""


def versions(cursor: Cursor, taxonomy_id: int, limit: int) -> list[Version]:
    """The newest versions, newest first."""
    cursor.execute(f"{_VERSION} WHERE taxonomy_id = %s ORDER BY id DESC LIMIT %s", (taxonomy_id, limit))
    return converted(cursor, Version)


def current(cursor: Cursor, taxonomy_id: int) -> dict[str, StoredRule]:
    """The rules that hold now, by stage."""
    return rules(cursor, newest(cursor, taxonomy_id))


def rules(cursor: Cursor, version: int | None) -> dict[str, StoredRule]:
    """A version as rules by stage; none without one."""
    if version is None:
        return {}
    found = rows(cursor, version)
    cursor.execute("SELECT stages FROM threshold_versions WHERE id = %s AND kind = 'chain'", (version,))
    stages = first_value(cursor, list)
    chain = None if stages is None else tuple(stages)
    return {
        row.stage: StoredRule(
            row.model,
            StageRule(
                row.value,
                {r.category: r.value for r in found if r.stage == row.stage and r.category is not None},
                row.curve,
                version,
                of_score=chain is not None,
            ),
            chain,
        )
        for row in found
        if row.category is None
    }


def certified_categories(cursor: Cursor, taxonomy_id: int) -> set[str]:
    """The categories that the version which holds has a threshold of their own for."""
    version = newest(cursor, taxonomy_id)
    found = [] if version is None else rows(cursor, version)
    return {row.category for row in found if row.category is not None and row.value is not None}


class Permission(msgspec.Struct, frozen=True):
    """The model that the version of now lets a stage keep verdicts of, since when, and in which chain, if in one."""

    model: str
    since: datetime
    chain: list[str] | None


def permission(cursor: Cursor, taxonomy_id: int, stage: str) -> Permission | None:
    """Whose verdicts a stage may keep by the version that holds now; None where it may keep none."""
    cursor.execute(
        """
        SELECT min(t.model), v.calibrated_at, v.stages
        FROM thresholds t JOIN threshold_versions v ON v.id = t.version_id
        WHERE v.id = (SELECT max(id) FROM threshold_versions WHERE taxonomy_id = %s) AND t.stage = %s
          AND t.value IS NOT NULL GROUP BY v.calibrated_at, v.stages
        """,
        (taxonomy_id, stage),
    )
    return first_of(cursor, Permission)
