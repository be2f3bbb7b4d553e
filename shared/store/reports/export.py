"""Stored labels by a review's source and id, by the thousand: what `otzyv label` writes into its file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from psycopg2.extensions import cursor as Cursor

from shared.store.judged.evidence import widened
from shared.store.postgres.fetched import all_of, first_value


class Labelled(msgspec.Struct, frozen=True, gc=False):
    """A stored review with its label, if it has one. `evidence` is what the label's stage gave for it."""

    text_sha: str
    category: str | None
    confidence: float | None
    stage: str | None
    status: str | None
    evidence: Any = None


def by_names(
    cursor: Cursor, names: Sequence[tuple[str, str]], taxonomy_id: int
) -> dict[tuple[str, str], Labelled]:
    """The reviews among (source, external id) `names` that are stored, with their labels."""
    cursor.execute(
        """
        SELECT r.source, r.external_id, encode(r.text_sha, 'hex'),
               l.category, l.confidence, l.stage, coalesce(l.status, 'waiting'), coalesce(l.evidence, v.evidence),
               CASE WHEN l.category IS NOT NULL THEN r.text END
        FROM unnest(%s::text[], %s::text[]) AS wanted (source, external_id)
        JOIN reviews r USING (source, external_id)
        LEFT JOIN labels l ON l.review_id = r.id AND l.taxonomy_id = %s
        LEFT JOIN verdicts v ON v.review_id = r.id AND v.taxonomy_id = l.taxonomy_id AND v.stage = l.stage
            AND l.judge IS NULL
        """,
        ([source for source, _ in names], [external_id for _, external_id in names], taxonomy_id),
    )
    return {
        (source, external_id): Labelled(
            sha, category, confidence, stage, status, widened(evidence, category, text or "")
        )
        for source, external_id, sha, category, confidence, stage, status, evidence, text in cursor.fetchall()
    }


class LabelledExample(msgspec.Struct, frozen=True):
    """A labelled review to show to a person."""

    external_id: str
    text: str
    category: str | None
    confidence: float | None
    stage: str | None
    evidence: Any


def examples(
    cursor: Cursor, batch_id: str, taxonomy_id: int, per_category: int, status: str
) -> list[LabelledExample]:
    """Up to `per_category` reviews of a batch for each category, spread evenly over its reviews by hash."""
    cursor.execute(
        """
        WITH members AS (SELECT unnest(review_ids) AS id FROM batch_messages WHERE batch_id = %s),
        ranked AS (
            SELECT r.external_id, r.text, l.category, l.confidence, l.stage,
                   coalesce(l.evidence, v.evidence) AS evidence,
                   row_number() OVER (PARTITION BY l.category ORDER BY r.text_sha) AS place
            FROM members m JOIN reviews r ON r.id = m.id
            JOIN labels l ON l.review_id = r.id AND l.taxonomy_id = %s AND l.status = %s
            LEFT JOIN verdicts v ON v.review_id = r.id AND v.taxonomy_id = l.taxonomy_id AND v.stage = l.stage
                AND l.judge IS NULL)
        SELECT external_id, text, category, confidence, stage, evidence FROM ranked
        WHERE place <= %s ORDER BY category, place
        """,
        (batch_id, taxonomy_id, status, per_category),
    )
    found = all_of(cursor, LabelledExample)
    return [replace(one, evidence=widened(one.evidence, one.category, one.text)) for one in found]


def rejections(cursor: Cursor, batch_id: str, limit: int) -> tuple[int, list[tuple[str, str]]]:
    """How many reviews of a batch broke the contract, and the first of them: id (or `?`) and reason."""
    cursor.execute("SELECT coalesce(sum(rejected), 0) FROM batch_messages WHERE batch_id = %s", (batch_id,))
    total = first_value(cursor, int) or 0
    cursor.execute(
        "SELECT coalesce(external_id, '?'), reason FROM failures WHERE batch_id = %s ORDER BY id LIMIT %s",
        (batch_id, limit),
    )
    return total, cursor.fetchall()
