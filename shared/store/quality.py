"""A day's predictions counted, what they come to, and alarms: each kept once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from itertools import groupby

from msgspec.structs import astuple
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from shared.catalogue import STUDENT
from shared.quality.drift import Alarm, DailyCounts, Quality
from shared.store.postgres.fetched import all_of, converted


def counts(cursor: Cursor, taxonomy: str, since: date) -> list[DailyCounts]:
    """Predictions on present texts since a day (UTC), by model, day and category, compared with accepted labels.

    Not with those of the stage `student`: the model that predicts gave them.
    """
    cursor.execute(
        """
        SELECT p.model_id, (p.at AT TIME ZONE 'UTC')::date, p.category, least(floor(p.confidence * 10)::integer, 9),
               count(*), sum(p.confidence::float8), count(l.category), count(*) FILTER (WHERE l.category <> p.category)
        FROM predictions p
        JOIN models m ON m.id = p.model_id JOIN taxonomies t ON t.id = m.taxonomy_id AND t.name = %(taxonomy)s
        JOIN reviews r ON r.id = p.review_id AND r.revision = p.revision
        LEFT JOIN LATERAL (
            SELECT l.category FROM labels l JOIN taxonomies own ON own.id = l.taxonomy_id
            WHERE l.review_id = p.review_id AND l.revision = p.revision AND own.name = %(taxonomy)s
              AND (l.status = 'human' OR (l.status = 'accepted' AND l.stage IS DISTINCT FROM %(student)s))
            ORDER BY l.taxonomy_id DESC LIMIT 1) l ON true
        WHERE p.at >= %(since)s::timestamp AT TIME ZONE 'UTC'
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        """,
        {"taxonomy": taxonomy, "since": since, "student": STUDENT},
    )
    found = []
    for (model, day, category), group in groupby(cursor.fetchall(), key=lambda row: row[:3]):
        rows = list(group)
        by_bin = {row[3]: row[4] for row in rows}
        total, sure, labelled, different = (sum(row[at] for row in rows) for at in range(4, 8))
        bins = tuple(by_bin.get(place, 0) for place in range(10))
        found.append(DailyCounts(model, day, category, total, float(sure), bins, labelled, different))
    return found


def forget(cursor: Cursor, taxonomy: str, since: date) -> None:
    """Drop what days since one came to, before they are counted anew: a day may have fewer models or categories now."""
    cursor.execute(
        """
        DELETE FROM quality q USING models m JOIN taxonomies t ON t.id = m.taxonomy_id
        WHERE m.id = q.model_id AND t.name = %s AND q.day >= %s
        """,
        (taxonomy, since),
    )


def write(cursor: Cursor, rows: Sequence[Quality]) -> None:
    """Keep what days come to; a row that is counted again is replaced."""
    execute_values(
        cursor,
        """
        INSERT INTO quality (model_id, day, category, predictions, expected_accuracy, labelled, disagreements,
            psi_categories, psi_confidence) VALUES %s
        ON CONFLICT (model_id, day, category) DO UPDATE
        SET predictions = excluded.predictions, expected_accuracy = excluded.expected_accuracy,
            labelled = excluded.labelled, disagreements = excluded.disagreements,
            psi_categories = excluded.psi_categories, psi_confidence = excluded.psi_confidence, at = now()
        """,
        sorted((row.model_id, row.day, row.category or "", *astuple(row)[3:]) for row in rows),
    )


def raise_alarms(cursor: Cursor, found: Sequence[Alarm]) -> list[Alarm]:
    """Keep alarms; returns those that are new."""
    new = []
    for alarm in found:
        cursor.execute(
            """
            INSERT INTO alarms (model_id, day, category, kind, value, "limit", n) VALUES (%s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT DO NOTHING
            """,
            (alarm.model_id, alarm.day, alarm.category or "", alarm.kind, alarm.value, alarm.limit, alarm.n),
        )
        if cursor.rowcount:
            new.append(alarm)
    return new


def since(cursor: Cursor, taxonomy: str, day: date) -> list[Quality]:
    """What days since one came to, newest first, all categories before each."""
    cursor.execute(
        """
        SELECT q.model_id, q.day, nullif(q.category, ''), q.predictions, q.expected_accuracy, q.labelled,
               q.disagreements, q.psi_categories, q.psi_confidence
        FROM quality q JOIN models m ON m.id = q.model_id JOIN taxonomies t ON t.id = m.taxonomy_id
        WHERE t.name = %s AND q.day >= %s ORDER BY q.day DESC, q.model_id, q.category
        """,
        (taxonomy, day),
    )
    return all_of(cursor, Quality)


def alarms_since(cursor: Cursor, taxonomy: str, day: date) -> list[Alarm]:
    """Alarms about days since one, newest first."""
    cursor.execute(
        """
        SELECT a.model_id, a.day, nullif(a.category, ''), a.kind, a.value, a."limit", a.n
        FROM alarms a JOIN models m ON m.id = a.model_id JOIN taxonomies t ON t.id = m.taxonomy_id
        WHERE t.name = %s AND a.day >= %s ORDER BY a.day DESC, a.id
        """,
        (taxonomy, day),
    )
    return converted(cursor, Alarm)


def alarm_after(cursor: Cursor, model_id: int, moment: datetime) -> Alarm | None:
    """The newest alarm about all categories of a model that was raised after a moment and says something new.

    A drift that was there at that moment goes on to be one, day by day.
    """
    cursor.execute(
        """
        SELECT a.model_id, a.day, nullif(a.category, ''), a.kind, a.value, a."limit", a.n FROM alarms a
        WHERE a.model_id = %(model)s AND a.category = '' AND a.at > %(moment)s
          AND (a.kind = 'withheld_precision' OR NOT EXISTS (
            SELECT FROM alarms b WHERE b.model_id = a.model_id AND b.category = '' AND b.kind = a.kind
              AND b.at <= %(moment)s))
        ORDER BY a.id DESC LIMIT 1
        """,
        {"model": model_id, "moment": moment},
    )
    return next(iter(converted(cursor, Alarm)), None)
