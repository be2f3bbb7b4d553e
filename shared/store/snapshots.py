"""What runs are trained and measured on: labels and gold, frozen as lists of reviews in a certain revision."""

from __future__ import annotations

from datetime import datetime

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.catalogue import STUDENT
from shared.reviews.labelled_text import Row
from shared.store.gold import PEOPLE
from shared.store.postgres.fetched import all_of, first_column, returned


class GoldText(msgspec.Struct, frozen=True):
    """A checked review as it was when the snapshot was taken."""

    review_id: int
    source: str
    text: str
    category: str
    ambiguous: bool


class Snapshot(msgspec.Struct, frozen=True):
    """A snapshot without its lists. `counts` are labelled reviews by category, `sha` is of all that is in it."""

    id: int
    sha: str
    counts: dict[str, int]
    gold: int
    created_at: datetime


# What a student labelled, or guessed, teaches none: it would learn its own mistakes.
_TAKE = """
WITH {people},
labelled AS (
    SELECT l.review_id, l.revision, l.category, l.status,
           CASE WHEN l.status = 'human' THEN 1 ELSE coalesce(l.confidence, 0) END AS confidence
    FROM labels l JOIN reviews r ON r.id = l.review_id AND r.revision = l.revision
    WHERE l.taxonomy_id = %(taxonomy)s AND l.category IS NOT NULL
      AND (l.status = 'human' OR l.stage IS DISTINCT FROM %(student)s)
      AND NOT EXISTS (SELECT FROM people p WHERE p.review_id = l.review_id AND NOT p.teaches)),
rows AS (
    SELECT coalesce(array_agg(review_id), '{}'), coalesce(array_agg(revision), '{}'),
           coalesce(array_agg(category), '{}'), coalesce(array_agg(confidence), '{}'),
           count(*) FILTER (WHERE status = 'human'), count(*) FILTER (WHERE status <> 'needs_review')
    FROM (
        SELECT * FROM labelled
        ORDER BY status = 'human' DESC, status = 'accepted' DESC, confidence DESC, review_id) ordered),
counted AS (
    SELECT coalesce(jsonb_object_agg(category, n), '{}')
    FROM (SELECT category, count(*) AS n FROM labelled WHERE status <> 'needs_review' GROUP BY 1) c),
test AS (
    SELECT coalesce(array_agg(review_id ORDER BY review_id), '{}'),
           coalesce(array_agg(revision ORDER BY review_id), '{}'),
           coalesce(array_agg(category ORDER BY review_id), '{}'),
           coalesce(array_agg(ambiguous ORDER BY review_id), '{}')
    FROM people WHERE NOT teaches),
taken AS (SELECT r.*, c.*, t.* FROM rows r, counted c, test t)
INSERT INTO training_snapshots (taxonomy_id, sha, review_ids, revisions, categories, confidences, trusted,
    accepted, counts, gold_ids, gold_revisions, gold_categories, gold_ambiguous)
SELECT %(taxonomy)s, sha256(convert_to(concat_ws('|', %(taxonomy)s, t.*), 'UTF8')), t.* FROM taken t
ON CONFLICT (sha) DO UPDATE SET sha = excluded.sha RETURNING id
""".replace("{people}", PEOPLE)


def take(cursor: Cursor, taxonomy_id: int) -> int:
    """Freeze the labels, best guesses among them, and the gold of now; returns the number, the same for the same.

    Labels and guesses of the stage `student` are left out.
    """
    cursor.execute(_TAKE, {"taxonomy": taxonomy_id, "student": STUDENT})
    return returned(cursor)


def get(cursor: Cursor, snapshot_id: int) -> Snapshot:
    """A snapshot that is there."""
    cursor.execute(
        """
        SELECT id, encode(sha, 'hex'), counts, cardinality(gold_ids), created_at
        FROM training_snapshots WHERE id = %s
        """,
        (snapshot_id,),
    )
    return Snapshot(*cursor.fetchall()[0])


# A text that has been replaced since is in the history.
_TEXT = """
    LEFT JOIN reviews r ON r.id = s.review_id AND r.revision = s.revision
    LEFT JOIN review_history h ON h.review_id = s.review_id AND h.revision = s.revision AND r.id IS NULL
"""


def rows(cursor: Cursor, snapshot_id: int) -> list[Row]:
    """The labelled reviews in order of trust, with the texts that the labels are about."""
    cursor.execute(
        f"""
        SELECT coalesce(r.text, h.text), s.category, s.review_id, s.revision, s.place <= t.trusted,
               CASE WHEN s.place > t.accepted THEN s.confidence END
        FROM training_snapshots t, unnest(t.review_ids, t.revisions, t.categories, t.confidences) WITH ORDINALITY
            AS s (review_id, revision, category, confidence, place) {_TEXT}
        WHERE t.id = %s AND coalesce(r.text, h.text) IS NOT NULL ORDER BY s.place
        """,  # noqa: S608  a constant of this module
        (snapshot_id,),
    )
    return all_of(cursor, Row)


def gold(cursor: Cursor, snapshot_id: int) -> list[GoldText]:
    """The gold of a snapshot in its order, that of the runs' answers."""
    cursor.execute(
        f"""
        SELECT s.review_id, coalesce(n.source, ''), coalesce(r.text, h.text, ''), s.category, s.ambiguous
        FROM training_snapshots t, unnest(t.gold_ids, t.gold_revisions, t.gold_categories, t.gold_ambiguous)
            WITH ORDINALITY AS s (review_id, revision, category, ambiguous, place) {_TEXT}
        LEFT JOIN reviews n ON n.id = s.review_id WHERE t.id = %s ORDER BY s.place
        """,  # noqa: S608  a constant of this module
        (snapshot_id,),
    )
    return all_of(cursor, GoldText)


def taught(cursor: Cursor, model_id: int) -> tuple[list[str], list[str]]:
    """The texts that a model was trained on, as far as a run of this database has, and the gold it was measured on.

    A text that is alike in both was left out of training.
    """
    return _texts(cursor, model_id, "review_ids", "revisions"), _texts(
        cursor, model_id, "gold_ids", "gold_revisions"
    )


def _texts(cursor: Cursor, model_id: int, ids: str, revisions: str) -> list[str]:
    cursor.execute(
        f"""
        SELECT coalesce(r.text, h.text) FROM training_runs run JOIN training_snapshots t ON t.id = run.snapshot_id,
            unnest(t.{ids}, t.{revisions}) AS s (review_id, revision) {_TEXT}
        WHERE run.model_id = %s AND coalesce(r.text, h.text) IS NOT NULL
        """,  # noqa: S608  names of this module
        (model_id,),
    )
    return first_column(cursor)
