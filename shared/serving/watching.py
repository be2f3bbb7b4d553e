"""Quality by day, from predictions to alarms: count, compare with each model's reference, keep, tell what is new."""

from __future__ import annotations

from datetime import date
from itertools import groupby

import structlog

from shared.classifiers import manifest as manifests
from shared.quality.drift import Alarm, Limits, Quality, alarms, of_day
from shared.settings import Settings
from shared.store import Database, models, quality

log = structlog.get_logger()


def limits(settings: Settings) -> Limits:
    """The limits that the settings name."""
    return Limits(settings.alarm_psi, settings.alarm_accuracy_drop, settings.alarm_disagreement)


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
