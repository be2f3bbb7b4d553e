"""Gold: what people said about stored reviews."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import astuple
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from shared.store.postgres.fetched import all_of, first_value
from shared.store.reviews import hold


class GoldReview(msgspec.Struct, frozen=True):
    """A stored review and the category that a person gave to its present text."""

    review_id: int
    source: str
    external_id: str
    text: str
    category: str
    ambiguous: bool


class GoldAnswer(msgspec.Struct, frozen=True):
    """One person's answer about one text of a review."""

    review_id: int
    revision: int
    category: str
    annotator: str
    ambiguous: bool = False


def rows(cursor: Cursor, taxonomy_id: int) -> list[GoldReview]:
    """All gold of a taxonomy by review id, one row a review: of several people's answers the newest.

    Answers about a text that has been replaced since are left out.
    """
    cursor.execute(
        """
        SELECT DISTINCT ON (r.id) r.id, r.source, r.external_id, r.text, g.category, g.ambiguous
        FROM gold g JOIN reviews r ON r.id = g.review_id AND r.revision = g.revision
        WHERE g.taxonomy_id = %s ORDER BY r.id, g.at DESC, g.annotator
        """,
        (taxonomy_id,),
    )
    return all_of(cursor, GoldReview)


def count(cursor: Cursor, taxonomy_id: int) -> int:
    """How many reviews of a taxonomy have gold."""
    cursor.execute("SELECT count(DISTINCT review_id) FROM gold WHERE taxonomy_id = %s", (taxonomy_id,))
    return first_value(cursor, int) or 0


def record(cursor: Cursor, answers: Sequence[GoldAnswer], taxonomy_id: int) -> None:
    """Keep answers; the same person's new answer about a review replaces the old one, the same one changes no row.

    Answers about a review that has been deleted meanwhile are left out.
    """
    there = hold(cursor, (a.review_id for a in answers))
    newest = {(a.review_id, a.annotator): a for a in answers if a.review_id in there}
    execute_values(
        cursor,
        """
        INSERT INTO gold AS g (taxonomy_id, review_id, revision, category, annotator, ambiguous) VALUES %s
        ON CONFLICT (review_id, taxonomy_id, annotator) DO UPDATE
        SET revision = excluded.revision, category = excluded.category, ambiguous = excluded.ambiguous, at = now()
        WHERE (g.revision, g.category, g.ambiguous)
            IS DISTINCT FROM (excluded.revision, excluded.category, excluded.ambiguous)
        """,
        [(taxonomy_id, *astuple(newest[key])) for key in sorted(newest)],
    )
