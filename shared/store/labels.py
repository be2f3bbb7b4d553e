"""Labels: the one category of each review in a taxonomy, by a stage, a person, or somebody else's method."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.reviews.labelled_text import Row
from shared.store import places
from shared.store.gold import PEOPLE
from shared.store.judged import judges
from shared.store.judged.evidence import Evidence, narrowed
from shared.store.judged.judges import StageModel
from shared.store.places import HeldPositions, with_revision
from shared.store.postgres import copying
from shared.store.postgres.copying import NULL, cell, copied, copy, encode_json, real_cell, text_cell
from shared.store.postgres.fetched import all_of, first_column, first_value
from shared.store.postgres.recordset import recordset
from shared.store.reviews import hold

PAGE = 1_000
"""Given labels in one statement: a file may hold millions, and each statement has a time limit."""


CIRCULAR: Final = ("keywords", "student")
"""Stages whose labels teach nothing: the words themselves, and what was taught by labels of other stages."""


class Label(msgspec.Struct, frozen=True, gc=False):
    """A review's label as a stage decided it; without a category nobody had a guess.

    With `model`, what the stage calls the one that it judged with, this is the stage's verdict too, with its `score`
    and `evidence`: it has no other row. Without, as where the label is a guess, the verdict stands in `verdicts`.
    """

    review_id: int
    revision: int
    category: str | None
    confidence: float | None
    stage: str | None
    status: str
    score: float | None = None
    evidence: Evidence = ()
    model: str | None = None


# A trigger keeps the label that is replaced in the history, and its verdict in `verdicts`.
_UPSERT = """
INSERT INTO labels AS l (review_id, taxonomy_id, revision, category, confidence, stage, status, judge, score, evidence)
SELECT review_id, %s, revision, category, confidence, stage, status, judge, score, evidence
FROM json_to_recordset(%s) AS i (review_id bigint, revision integer, category text, confidence real,
    stage text, status text, judge integer, score real, evidence json)
ON CONFLICT (review_id, taxonomy_id) DO UPDATE
SET revision = excluded.revision, category = excluded.category, confidence = excluded.confidence,
    stage = excluded.stage, status = excluded.status, judge = excluded.judge, score = excluded.score,
    evidence = excluded.evidence, at = now()
"""
# In the place of other stages' labels, and of people's on an older text.
_REPLACE = f"{_UPSERT} WHERE l.status <> 'human' OR l.revision < excluded.revision"
_REPLACE_BY_GIVEN = f"""
{_UPSERT}
WHERE (l.status <> 'human' OR excluded.status = 'human') AND l.revision <= excluded.revision
  AND (l.revision, l.category, l.confidence, l.stage, l.status) IS DISTINCT FROM
      (excluded.revision, excluded.category, excluded.confidence, excluded.stage, excluded.status)
"""


def settle(cursor: Cursor, rows: Sequence[Label], taxonomy_id: int, held: HeldPositions) -> None:
    """Write labels and take their reviews, whose places are held, out of the line.

    Only a review that still waits with the revision that was judged gets the label, so a text replaced in
    the meantime is not given the label of the old one.
    """
    rows = [row for row in rows if with_revision(held, row.review_id, row.revision)]
    if not rows:
        return
    places.leave(cursor, [row.review_id for row in rows], taxonomy_id)
    known = _judges(cursor, rows)
    first = [row for row in rows if row.revision == 1]
    added = copied(cursor, "labels", _COLUMNS, _lines(first, taxonomy_id, known))
    others = [row for row in rows if not added or row.revision != 1]
    if others:
        cursor.execute(_REPLACE, (taxonomy_id, _records(others, known)))


def add(cursor: Cursor, rows: Sequence[Label], taxonomy_id: int, known: Mapping[StageModel, int]) -> None:
    """Labels of reviews that are new, which nobody holds and which are in no line; `known` are the judges' numbers."""
    if rows:
        copy(cursor, "labels", _COLUMNS, _lines(rows, taxonomy_id, known))


_COLUMNS = "review_id, taxonomy_id, revision, category, stage, status, judge, confidence, score, evidence"
_HEAD: Final = struct.Struct("!hiqiiii").pack


def _judges(cursor: Cursor, rows: Sequence[Label]) -> Mapping[StageModel, int]:
    told = {(row.stage, row.model) for row in rows}
    return judges.numbers(cursor, [(stage, model) for stage, model in told if stage and model])


def _lines(rows: Sequence[Label], taxonomy_id: int, known: Mapping[StageModel, int]) -> list[bytes]:
    """The rows for COPY, by review: an index that grows at its end is written and kept with a third less."""
    names: dict[tuple[str | None, ...], bytes] = {}
    count = _COLUMNS.count(",") + 1
    lines: list[bytes] = []
    for row in sorted(rows, key=attrgetter("review_id")):
        key = (row.category, row.stage, row.status, row.model)
        named = names.get(key)
        if named is None:
            judge = None if row.model is None else known[row.stage or "", row.model]
            named = b"".join(map(text_cell, key[:3])) + copying.integer_cell(judge)
            names[key] = named
        lines += (
            _HEAD(count, 8, row.review_id, 4, taxonomy_id, 4, row.revision),
            named,
            real_cell(row.confidence),
            _NO_VERDICT if row.model is None else _verdict(row),
        )
    return lines


_NO_VERDICT: Final = NULL + NULL


def _verdict(row: Label) -> bytes:
    return real_cell(row.score) + cell(encode_json(narrowed(row.evidence, row.category)))


def _records(rows: Sequence[Label], known: Mapping[StageModel, int]) -> str:
    """The rows for `_UPSERT`."""
    records: list[dict[str, object]] = [
        {
            **msgspec.structs.asdict(row),
            "judge": known.get((row.stage or "", row.model or "")),
            "evidence": None if row.model is None else narrowed(row.evidence, row.category),
        }
        for row in rows
    ]
    return recordset(records)


def settle_by_people(cursor: Cursor, rows: Sequence[tuple[int, int, str]], taxonomy_id: int) -> None:
    """Labels that people gave, as (review id, revision, category): no stage replaces them. The same again is no change.

    Their reviews wait for no stage any more, unless their text has been replaced in the meantime: then they do, and a
    label that the new text has already stays. A review that has been deleted meanwhile gets none.
    """
    _settle_given(cursor, [Label(*row, None, None, "human") for row in rows], taxonomy_id)


def doubt(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int) -> None:
    """Labels that people gave and now differ about are for a person again, with the category as a guess."""
    cursor.execute(
        """
        UPDATE labels SET status = 'needs_review', at = now()
        WHERE taxonomy_id = %s AND status = 'human' AND review_id = ANY(%s::bigint[])
        """,
        (taxonomy_id, list(review_ids)),
    )


def settle_from_outside(
    cursor: Cursor, rows: Sequence[tuple[int, int, str, float]], taxonomy_id: int, stage: str
) -> None:
    """Labels that somebody else's method gave, as (review id, revision, category, confidence), under its name.

    They take the place of labels that stages gave, not of people's. The same again is no change. A review that has
    been deleted meanwhile gets none.
    """
    _settle_given(cursor, [Label(*row, stage, "accepted") for row in rows], taxonomy_id)


def _settle_given(cursor: Cursor, rows: Sequence[Label], taxonomy_id: int) -> None:
    there = hold(cursor, (row.review_id for row in rows))
    rows = sorted((row for row in rows if row.review_id in there), key=lambda row: row.review_id)
    held = places.hold(cursor, [row.review_id for row in rows], taxonomy_id)
    waiting = [row.review_id for row in rows if with_revision(held, row.review_id, row.revision)]
    places.leave(cursor, waiting, taxonomy_id)
    for start in range(0, len(rows), PAGE):
        cursor.execute(_REPLACE_BY_GIVEN, (taxonomy_id, _records(rows[start : start + PAGE], {})))


def teaching(cursor: Cursor, taxonomy_id: int) -> list[Row]:
    """People's labels and accepted ones of other stages by review id, without gold that measures."""
    cursor.execute(
        f"""
        WITH {PEOPLE}
        SELECT r.text, l.category
        FROM labels l JOIN reviews r ON r.id = l.review_id AND r.revision = l.revision
        WHERE l.taxonomy_id = %(taxonomy)s AND l.category IS NOT NULL
          AND (l.status = 'human' OR (l.status = 'accepted' AND l.stage <> ALL(%(circular)s)))
          AND NOT EXISTS (SELECT FROM people p WHERE p.review_id = l.review_id AND NOT p.teaches)
        ORDER BY l.review_id
        """,  # noqa: S608  a constant of shared.store.gold
        {"taxonomy": taxonomy_id, "circular": list(CIRCULAR)},
    )
    return all_of(cursor, Row)


_UNSURE = """
    FROM labels l JOIN reviews r ON r.id = l.review_id AND r.revision = l.revision
    WHERE l.taxonomy_id = %(taxonomy)s AND l.status = 'needs_review'
"""


def unsure(cursor: Cursor, taxonomy_id: int) -> int:
    """How many reviews have only a guess, or not even that."""
    cursor.execute(f"SELECT count(*) {_UNSURE}", {"taxonomy": taxonomy_id})
    return first_value(cursor, int) or 0


def reopen(cursor: Cursor, taxonomy_id: int, stage: str, after: int, limit: int) -> list[int]:
    """Let up to `limit` of them, whose number is above `after`, wait for a stage once more; their ids, in order.

    The label goes into the history. One that somebody else holds is left as it is.
    """
    cursor.execute(
        f"""
        WITH opened AS (
            SELECT l.review_id {_UNSURE} AND l.review_id > %(after)s
            ORDER BY l.review_id LIMIT %(limit)s FOR UPDATE OF l SKIP LOCKED),
        gone AS (
            DELETE FROM labels l USING opened o
            WHERE l.review_id = o.review_id AND l.taxonomy_id = %(taxonomy)s RETURNING l.review_id, l.revision),
        lined_up AS (
            INSERT INTO waiting (review_id, taxonomy_id, revision, stage)
            SELECT review_id, %(taxonomy)s, revision, %(stage)s FROM gone ON CONFLICT DO NOTHING)
        SELECT review_id FROM gone ORDER BY 1
        """,  # noqa: S608  a constant of this module
        {"taxonomy": taxonomy_id, "after": after, "limit": limit, "stage": stage},
    )
    return first_column(cursor)


def by_stage(cursor: Cursor, review_ids: Sequence[int], taxonomy_id: int) -> dict[str, int]:
    """How many of some reviews have a label by which stage; `human` are people's, and guesses count like the others.

    People's that are for review, since they differ, are `people who differ`.
    """
    cursor.execute(
        """
        SELECT CASE WHEN status = 'human' THEN status WHEN stage IS NOT NULL THEN stage
                    WHEN category IS NULL THEN 'nobody' ELSE 'people who differ' END, count(*)
        FROM labels WHERE taxonomy_id = %s AND review_id = ANY(%s) GROUP BY 1 ORDER BY 1
        """,
        (taxonomy_id, list(review_ids)),
    )
    return dict(cursor.fetchall())


def by_category(cursor: Cursor, taxonomy_id: int) -> dict[str, int]:
    """How many labels each category has that a stage has kept or a person has given."""
    cursor.execute(
        """
        SELECT category, count(*) FROM labels
        WHERE taxonomy_id = %s AND status IN ('accepted', 'human') AND category IS NOT NULL GROUP BY 1
        """,
        (taxonomy_id,),
    )
    return dict(cursor.fetchall())
