"""`otzyv db prune`: old reviews go, after a look at how many and a question."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from scripts.command.console import out, require_yes
from scripts.command.progress import review_progress
from scripts.language.language import counted, translated
from shared.errors import ConfigurationError
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import retention, runs
from shared.store.postgres import schema

AT_ONCE = 5_000
"""Reviews in a transaction: nobody else waits for long."""


def prune(settings: Settings, days: int, *, dry_run: bool, yes: bool) -> None:
    """Delete reviews that came more than `days` ago. Raises ConfigurationError while models are being trained."""
    before = datetime.now(UTC) - timedelta(days=days)
    database = runtime.open_database(settings, "otzyv db prune")
    schema.check(database)
    with database.transaction() as cursor:
        found = retention.old(cursor, before)
        training = runs.unfinished(cursor)
    tell_found(found, before)
    if dry_run:
        return
    if training:
        raise ConfigurationError(
            f"otzyv db prune: expected no training that reads old reviews, found unfinished runs "
            f"({', '.join(map(str, training))}); wait for them, or `otzyv runs cancel`"
        )
    if found.going:
        if not yes:
            require_yes(translated("Delete them for good?"))
        gone = 0
        with review_progress() as progress:
            task = progress.add_task(translated("deleting"), total=found.going, note="")
            part = found.going
            while part:
                with database.transaction() as cursor:
                    part = retention.prune(cursor, before, AT_ONCE)
                gone += part
                progress.update(task, completed=gone)
        told = counted(
            "deleted {number} review; PostgreSQL uses its space again for new ones",
            "deleted {number} reviews; PostgreSQL uses their space again for new ones",
            gone,
        )
        out.print(told, soft_wrap=True)
    with database.transaction() as cursor:
        retention.prune_batches(cursor, before)


def tell_found(found: retention.Old, before: datetime) -> None:
    """How many can go, and how many stay."""
    going = counted(
        "{number} review came before {time} UTC and can go, with its verdicts, label, predictions, failures and old "
        "texts",
        "{number} reviews came before {time} UTC and can go, with their verdicts, labels, predictions, failures and "
        "old texts",
        found.going,
        time=f"{before:%Y-%m-%d %H:%M}",
    )
    staying = counted(
        "{number} stays, because it waits or people have judged it",
        "{number} stay, because they wait or people have judged them",
        found.staying,
    )
    out.print(f"{going}; {staying}", soft_wrap=True)
