"""Audits: which labels were drawn for people to check, and what they answered."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec.structs import astuple
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from shared.quality.audit import ANY, EVERY, Stratum
from shared.store.postgres.fetched import all_of, first_value, returned
from shared.store.reviews import hold


class AuditItem(msgspec.Struct, frozen=True):
    """One label of an audit."""

    review_id: int
    revision: int
    source: str
    external_id: str
    text: str
    category: str | None
    stage: str | None
    status: str
    confidence: float | None
    probability: float


class AuditedReview(msgspec.Struct, frozen=True):
    """A stored review; `revision` is that of its present text, `drawn` the one an audit showed, if it did."""

    review_id: int
    revision: int
    text: str
    drawn: int | None


class Answered(msgspec.Struct, frozen=True):
    """One checked label of an audit."""

    stage: str | None
    category: str | None
    status: str
    probability: float
    answer: str


class Open(msgspec.Struct, frozen=True):
    """Drawn labels of audits without an answer that counts.

    About the texts of `replaced` ones nobody can answer any more, of `undecided` ones people's answers settle nothing,
    and nobody has answered about the `unanswered` ones.
    """

    replaced: int = 0
    undecided: int = 0
    unanswered: int = 0


DrawnFrom = Literal["labels", "disagreements", "withheld"]
"""All labels; those that a model's predictions disagree with; those of reviews whose label was withheld."""

_ONLY: Final[Mapping[DrawnFrom, str]] = {
    "labels": "",
    "disagreements": """
        AND EXISTS (
            SELECT FROM predictions p WHERE p.review_id = r.id AND p.revision = r.revision
              AND p.model_id = %(model)s AND p.category IS DISTINCT FROM l.category)
    """,
    "withheld": """
        AND EXISTS (
            SELECT FROM withheld w WHERE w.review_id = r.id AND w.revision = r.revision
              AND w.taxonomy_id = l.taxonomy_id)
    """,
}


class Population(msgspec.Struct, frozen=True):
    """What an audit draws from, and of whose predictions where these disagree."""

    drawn_from: DrawnFrom = "labels"
    model_id: int | None = None


def sizes(cursor: Cursor, taxonomy_id: int, population: Population) -> dict[Stratum, int]:
    """How many labels of a population there are that nobody has checked, by stage, category and status."""
    cursor.execute(
        f"""
        SELECT l.stage, l.category, l.status, count(*) FROM labels l
        JOIN reviews r ON r.id = l.review_id AND r.revision = l.revision
        WHERE l.taxonomy_id = %(taxonomy)s AND l.status <> 'human' {_ONLY[population.drawn_from]} GROUP BY 1, 2, 3
        """,  # noqa: S608  constants of this module
        {"taxonomy": taxonomy_id, "model": population.model_id},
    )
    return {(stage, category, status): count for stage, category, status, count in cursor.fetchall()}


def predicted(cursor: Cursor, model_id: int) -> bool:
    """Whether a model has predicted any review."""
    cursor.execute("SELECT EXISTS (SELECT FROM predictions WHERE model_id = %s)", (model_id,))
    return bool(first_value(cursor, bool))


_DRAW = """
    SELECT r.id, r.revision, r.source, r.external_id, r.text, l.category, l.stage, l.status, l.confidence,
           %(probability)s::float8
    FROM labels l JOIN reviews r ON r.id = l.review_id AND r.revision = l.revision
    WHERE l.taxonomy_id = %(taxonomy)s AND l.status <> 'human'
      AND (%(every)s OR (l.status = %(status)s AND l.stage IS NOT DISTINCT FROM %(stage)s))
      AND (%(any)s OR l.category IS NOT DISTINCT FROM %(category)s) {only}
    ORDER BY md5(%(seed)s || '/' || r.id) LIMIT %(count)s
"""


def draw(
    cursor: Cursor,
    taxonomy_id: int,
    strata: Mapping[Stratum, int],
    draws: Mapping[Stratum, int],
    seed: int,
    population: Population,
) -> tuple[int, list[AuditItem]]:
    """Draw labels from strata of a population, of known sizes, kept as an audit; returns its number and them."""
    cursor.execute(
        """
        INSERT INTO audits (taxonomy_id, seed, population, disagreements_with, drawn_from)
        VALUES (%s, %s, %s, %s, %s) RETURNING id
        """,
        (taxonomy_id, seed, sum(strata.values()), population.model_id, population.drawn_from),
    )
    audit = returned(cursor)
    items: list[AuditItem] = []
    wanted = {"taxonomy": taxonomy_id, "model": population.model_id, "seed": str(seed)}
    statement = _DRAW.format(only=_ONLY[population.drawn_from])
    for (stage, category, status), count in draws.items():
        stratum = {"stage": stage, "category": category, "status": status, "any": category == ANY}
        stratum["every"] = (stage, category, status) == EVERY
        probability = count / strata[stage, category, status]
        cursor.execute(statement, {**wanted, **stratum, "count": count, "probability": probability})
        items += all_of(cursor, AuditItem)
    there = hold(cursor, (item.review_id for item in items))
    items = [item for item in items if item.review_id in there]
    execute_values(
        cursor,
        """
        INSERT INTO audit_items (audit_id, review_id, revision, category, stage, status, confidence, probability)
        VALUES %s
        """,
        [(audit, item.review_id, item.revision, *astuple(item)[5:]) for item in items],
    )
    return audit, sorted(items, key=lambda item: zlib.crc32(f"{seed}/{item.review_id}".encode()))


def taxonomy_of(cursor: Cursor, audit: int) -> int | None:
    """The taxonomy that an audit's labels are of, or None where there is no such audit."""
    cursor.execute("SELECT taxonomy_id FROM audits WHERE id = %s", (audit,))
    return first_value(cursor, int)


def find(cursor: Cursor, names: Sequence[tuple[int | None, str | None, str]]) -> list[list[AuditedReview]]:
    """For each (audit, source, external id) the stored reviews of that name, of any source where it is None."""
    cursor.execute(
        """
        SELECT wanted.place, r.id, r.revision, r.text, i.revision
        FROM unnest(%s::integer[], %s::integer[], %s::text[], %s::text[]) AS wanted (place, audit, source, name)
        JOIN reviews r ON r.external_id = wanted.name AND (wanted.source IS NULL OR r.source = wanted.source)
        LEFT JOIN audit_items i ON i.audit_id = wanted.audit AND i.review_id = r.id
        WHERE wanted.audit IS NULL OR i.review_id IS NOT NULL
        """,
        (
            list(range(len(names))),
            [audit for audit, _, _ in names],
            [source for _, source, _ in names],
            [name for _, _, name in names],
        ),
    )
    found: list[list[AuditedReview]] = [[] for _ in names]
    for place, *rest in cursor.fetchall():
        found[place].append(AuditedReview(*rest))
    return found


def answer(cursor: Cursor, answers: Sequence[tuple[int, int, str | None, str]]) -> None:
    """Note answers as (audit, review id, category, annotators), None for one that is not settled.

    The same again changes no row.
    """
    execute_values(
        cursor,
        """
        UPDATE audit_items i SET answer = given.category, annotator = given.annotator, answered_at = now()
        FROM (VALUES %s) AS given (audit, review, category, annotator)
        WHERE i.audit_id = given.audit AND i.review_id = given.review
          AND (i.answer, i.annotator) IS DISTINCT FROM (given.category, given.annotator)
        """,
        answers,
        template="(%s, %s, %s::text, %s)",
    )


def answered(cursor: Cursor, taxonomy_id: int) -> tuple[list[Answered], Open]:
    """Checked labels of a taxonomy's audits that were drawn from all labels, and how many others were drawn.

    Where labels and predictions disagree, or labels were withheld, is no sample of all labels, so those audits say
    nothing about them.
    """
    cursor.execute(
        """
        SELECT i.stage, i.category, i.status, i.probability, i.answer,
            CASE WHEN i.annotator IS NOT NULL THEN 'undecided'
                 WHEN r.revision IS DISTINCT FROM i.revision THEN 'replaced' ELSE 'unanswered' END
        FROM audit_items i JOIN audits a ON a.id = i.audit_id LEFT JOIN reviews r ON r.id = i.review_id
        WHERE a.taxonomy_id = %s AND a.drawn_from = 'labels'
        """,
        (taxonomy_id,),
    )
    rows = cursor.fetchall()
    without = Counter(row[5] for row in rows if row[4] is None)
    return [Answered(*row[:5]) for row in rows if row[4] is not None], Open(**without)
