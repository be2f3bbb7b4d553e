"""Gold: what people said about stored reviews."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

import msgspec
from msgspec.structs import astuple
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from shared.quality import agreement
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
    """One person's answer about one text of a review; `also` are categories that it names beside the first."""

    review_id: int
    revision: int
    category: str
    annotator: str
    ambiguous: bool = False
    also: Sequence[str] = ()


class Settled(msgspec.Struct, frozen=True):
    """What people said of a review's present text; `category` is None where their answers settle nothing."""

    review_id: int
    revision: int
    category: str | None
    people: tuple[str, ...]


PEOPLE: Final = """answered AS (
    SELECT i.review_id, bool_and(a.drawn_from <> 'labels') AS teaches
    FROM audit_items i JOIN audits a ON a.id = i.audit_id
    WHERE a.taxonomy_id = %(taxonomy)s AND i.answer IS NOT NULL GROUP BY 1),
people AS (
    SELECT g.review_id, g.revision, g.settled AS category, g.ambiguous, coalesce(a.teaches, false) AS teaches
    FROM gold g JOIN reviews r ON r.id = g.review_id AND r.revision = g.revision
    LEFT JOIN answered a ON a.review_id = g.review_id
    WHERE g.taxonomy_id = %(taxonomy)s AND g.settled IS NOT NULL)
"""
"""Common table expressions: what people's answers about each review's present text come to, as `record` has settled.

Gold that was drawn where model and label differed, or out of withheld labels, is no sample of all reviews: it teaches,
it does not measure.
"""


def rows(cursor: Cursor, taxonomy_id: int, *, measuring: bool = False) -> list[GoldReview]:
    """All gold of a taxonomy by review id, one row a review that people's answers settle.

    Answers about a text that has been replaced since are left out. With `measuring` only what is as good as a sample of
    all reviews: none that people were asked about for what a model had said of them.
    """
    cursor.execute(
        f"""
        WITH {PEOPLE}
        SELECT r.id, r.source, r.external_id, r.text, p.category, p.ambiguous
        FROM people p JOIN reviews r ON r.id = p.review_id
        WHERE NOT (%(measuring)s AND p.teaches) ORDER BY r.id
        """,  # noqa: S608  a constant of this module
        {"taxonomy": taxonomy_id, "measuring": measuring},
    )
    return all_of(cursor, GoldReview)


def count(cursor: Cursor, taxonomy_id: int) -> int:
    """How many reviews of a taxonomy have gold."""
    cursor.execute("SELECT count(*) FROM gold WHERE taxonomy_id = %s AND settled IS NOT NULL", (taxonomy_id,))
    return first_value(cursor, int) or 0


def record(cursor: Cursor, answers: Sequence[GoldAnswer], taxonomy_id: int) -> list[Settled]:
    """Keep answers, one a person, and return what all people's answers about these reviews come to now.

    The same person's new answer about a review replaces the old one, the same one changes no row. Answers about a
    review that has been deleted meanwhile are left out.
    """
    # Two who import at once see each other's answers.
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('gold'), %s)", (taxonomy_id,))
    there = hold(cursor, (a.review_id for a in answers))
    each = {(a.review_id, a.annotator): a for a in answers if a.review_id in there}
    execute_values(
        cursor,
        """
        INSERT INTO gold AS g (taxonomy_id, review_id, revision, category, annotator, ambiguous, also) VALUES %s
        ON CONFLICT (review_id, taxonomy_id, annotator) DO UPDATE
        SET revision = excluded.revision, category = excluded.category, ambiguous = excluded.ambiguous,
            also = excluded.also, at = now()
        WHERE (g.revision, g.category, g.ambiguous, g.also)
            IS DISTINCT FROM (excluded.revision, excluded.category, excluded.ambiguous, excluded.also)
        """,
        [(taxonomy_id, *astuple(each[key])[:-1], [*each[key].also]) for key in sorted(each)],
        template="(%s, %s, %s, %s, %s, %s, %s::text[])",
    )
    return settle(cursor, sorted({review_id for review_id, _ in each}), taxonomy_id)


def about(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int) -> list[GoldAnswer]:
    """Everybody's answers about the present texts of reviews, by review; those with doubts first."""
    cursor.execute(
        """
        SELECT g.review_id, g.revision, g.category, g.annotator, g.ambiguous, g.also
        FROM gold g JOIN reviews r ON r.id = g.review_id AND r.revision = g.revision
        WHERE g.taxonomy_id = %s AND g.review_id = ANY(%s::bigint[])
        ORDER BY g.review_id, g.ambiguous DESC, g.annotator
        """,
        (taxonomy_id, list(review_ids)),
    )
    return all_of(cursor, GoldAnswer)


def settle(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int) -> list[Settled]:
    """Note beside one answer about each review's present text what all of them come to."""
    found, beside = [], list[str | None]()
    for review_id, group in groupby(about(cursor, review_ids, taxonomy_id), key=lambda one: one.review_id):
        given = list(group)
        category = agreement.settled([(one.category, *one.also) for one in given])
        names = tuple(sorted(one.annotator for one in given))
        found.append(Settled(review_id, given[0].revision, category, names))
        # With doubts, if anybody who names it has any.
        beside.append(next((one.annotator for one in given if category in (one.category, *one.also)), None))
    note = ([one.review_id for one in found], beside, [one.category for one in found], taxonomy_id)
    # First no other answer has one: a review has at most one at any time.
    for which, value in (("IS DISTINCT FROM", "NULL"), ("=", "s.category")):
        cursor.execute(
            f"""
            UPDATE gold g SET settled = {value}
            FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS s (review_id, annotator, category)
            WHERE g.taxonomy_id = %s AND g.review_id = s.review_id AND g.annotator {which} s.annotator
              AND g.settled IS DISTINCT FROM {value}
            """,  # noqa: S608  constants of this function
            note,
        )
    return found
