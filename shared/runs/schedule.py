"""When to retrain by itself: enough new labels, a quality alarm, or the clock. Never two runs of one architecture."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from shared.settings import Settings
from shared.store import Database, runs, snapshots
from shared.store.runs import Asked, News
from shared.taxonomy import Taxonomy
from shared.training.arguments import Arguments, arguments

log = structlog.get_logger()

BY: Final = "schedule"
CLOCK: Final = "the clock"
ONCE: Final = timedelta(seconds=50)
"""Two schedulers that strike the same minute count as one."""


def asked(chosen: Arguments, *, asked_by: str, reason: str, auto_promote: bool, time_limit_s: int) -> Asked:
    """A run with these arguments."""
    return Asked(
        architecture=chosen.architecture,
        seed=chosen.seed,
        arguments=chosen.model_dump(mode="json"),
        asked_by=asked_by,
        reason=reason,
        auto_promote=auto_promote,
        time_limit_s=time_limit_s,
    )


def wanted_arguments(settings: Settings) -> dict[str, Arguments]:
    """The arguments of each architecture that is retrained. Raises TrainingError for one that is out of range."""
    return {
        name: arguments(**{**settings.retrain_arguments, "architecture": name}) for name in settings.retrained
    }


def why(news: News, settings: Settings, *, by_clock: bool, now: datetime) -> str | None:
    """The reason to train an architecture now, or None."""
    if news.at_work:
        return None
    if by_clock and not (news.last_reason == CLOCK and news.last_at and now - news.last_at < ONCE):
        return CLOCK
    if settings.retrain_on_alarm and news.alarms and news.last_at is not None:
        return f"{news.alarms} quality alarms since the last run"
    if 0 < settings.retrain_new_labels <= news.labels:
        return f"{news.labels:,} labels since the last run"
    return None


def ask(
    database: Database, taxonomy: Taxonomy, taxonomy_id: int, settings: Settings, *, by_clock: bool = False
) -> list[int]:
    """Queue runs of the architectures that the settings name, where there is a reason; returns their numbers.

    Safe when two do it at once. Raises TrainingError for arguments out of range.
    """
    chosen = wanted_arguments(settings)
    with database.transaction() as cursor:
        runs.lock_schedule(cursor, taxonomy.name)
        wanted, now, limit_s = [], datetime.now(UTC), settings.training_time_limit_s
        for name, given in chosen.items():
            news = runs.news(cursor, taxonomy.name, taxonomy_id, name)
            if (reason := why(news, settings, by_clock=by_clock, now=now)) is not None:
                wanted.append(
                    asked(given, asked_by=BY, reason=reason, auto_promote=True, time_limit_s=limit_s)
                )
        if not wanted:
            return []
        snapshot = snapshots.get(cursor, snapshots.take(cursor, taxonomy_id))
        if len(snapshot.counts) < 2:
            log.info("retrain.too_few_labels", categories=len(snapshot.counts))
            return []
        _, numbers = runs.ask(cursor, taxonomy_id, snapshot.id, wanted)
    for number, one in zip(numbers, wanted, strict=True):
        log.info("retrain.asked_for", run=number, architecture=one.architecture, reason=one.reason)
    return numbers
