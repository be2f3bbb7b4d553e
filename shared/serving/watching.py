"""Quality by day, from predictions to alarms: count, compare with each model's reference, keep, tell what is new."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import groupby

import structlog

from shared.catalogue import STUDENT
from shared.classifiers import manifest as manifests
from shared.quality.drift import Alarm, Limits, Quality, alarms, of_day
from shared.quality.withholding import WithheldCount
from shared.serving.standing import judge_number
from shared.settings import Settings
from shared.store import Database, models, quality, withheld

log = structlog.get_logger()


def limits(settings: Settings) -> Limits:
    """The limits that the settings name."""
    return Limits(
        settings.alarm_psi,
        settings.alarm_accuracy_drop,
        settings.alarm_disagreement,
        settings.alarm_student_precision,
    )


def watch(database: Database, taxonomy: str, since: date, limits: Limits) -> list[Alarm]:
    """Count the days since one anew, by the name of a taxonomy; returns the alarms that are new.

    Each is a row in `alarms` and a log event, once. Idempotent, and safe when two do it at once.
    """
    with database.transaction() as cursor:
        counts = quality.counts(cursor, taxonomy, since)
        references = {
            number: manifests.decode(models.manifest(cursor, number), f"model {number}").reference
            for number in {one.model_id for one in counts}
        }
        days: list[Quality] = []
        found: list[Alarm] = []
        for (model_id, _), group in groupby(counts, key=lambda one: (one.model_id, one.day)):
            day = of_day(list(group), references[model_id])
            days += day
            found += alarms(day, references[model_id], limits)
        found += withheld_alarms(withheld.counts(cursor, taxonomy, STUDENT), limits.student_precision)
        quality.forget(cursor, taxonomy, since)
        quality.write(cursor, days)
        new = quality.raise_alarms(cursor, found)
    for alarm in new:
        log.warning(
            "quality.alarm",
            model_id=alarm.model_id,
            day=alarm.day.isoformat(),
            kind=alarm.kind,
            category=alarm.category,
            value=round(alarm.value, 4),
            limit=round(alarm.limit, 4),
            n=alarm.n,
        )
    return new


def withheld_alarms(counts: Sequence[WithheldCount], limit: float) -> list[Alarm]:
    """Alarms of today (UTC) about models whose withheld labels turn out wrong too often."""
    today = datetime.now(UTC).date()
    return [
        Alarm(number, today, None, "withheld_precision", one.precision, limit, one.judged[0])
        for one in counts
        if one.is_below(limit) and (number := judge_number(one.model)) is not None
    ]
