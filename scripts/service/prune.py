"""`otzyv db prune`: old reviews go, after a look at how many and a question."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import typer

from scripts.command.console import out
from scripts.command.progress import review_progress
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
    out.print(
        f"{found.going:,} reviews came before {before:%Y-%m-%d %H:%M} UTC and can go, with their verdicts, labels, "
        f"predictions, failures and old texts; {found.staying:,} stay, because they wait or people have judged them",
        soft_wrap=True,
    )
    if dry_run:
        return
    if training:
        raise ConfigurationError(
            f"otzyv db prune: expected no training that reads old reviews, found unfinished runs "
            f"({', '.join(map(str, training))}); wait for them, or `otzyv runs cancel`"
        )
    if found.going and not yes and not typer.confirm("Delete them for good?", err=True):
        raise typer.Exit(1)
    if found.going:
        gone = 0
        with review_progress() as progress:
            task = progress.add_task("deleting", total=found.going, note="")
            part = found.going
            while part:
                with database.transaction() as cursor:
                    part = retention.prune(cursor, before, AT_ONCE)
                gone += part
                progress.update(task, completed=gone)
        out.print(f"deleted {gone:,} reviews; PostgreSQL uses their space again for new ones")
    with database.transaction() as cursor:
        retention.prune_batches(cursor, before)
