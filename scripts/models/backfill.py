"""`otzyv backfill`: stored reviews predicted anew by a model, at low priority."""

from __future__ import annotations

import time

from scripts.command.console import out, review_progress
from scripts.models.registry import registry
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import Database, backfills
from workers.tasks import sending

PARTS = 8
"""Parts that can be worked on at a time."""
LOOK_UP_S = 0.5


def backfill(model: int, settings: Settings, *, follow: bool) -> None:
    """Start a backfill, and watch it if asked to."""
    here = runtime.build(settings)
    registry(here).get(model)
    with here.database.transaction() as cursor:
        number, parts = backfills.start(cursor, model, PARTS)
    for part in parts:
        sending.backfill_part(number, part)
    out.print(
        f"backfill {number}: model {model} predicts stored reviews that it has not seen, whenever no others wait"
    )
    if follow and parts:
        _follow(here.database, number)


def _follow(database: Database, number: int) -> None:
    with review_progress() as progress:
        task = progress.add_task(f"backfill {number}", total=None, note="")
        while True:
            with database.transaction() as cursor:
                found = backfills.progress(cursor, number)
            if found is None or found.done >= found.total:
                break
            progress.update(task, completed=found.done, total=found.total)
            time.sleep(LOOK_UP_S)
    out.print(f"backfill {number}: all stored reviews have predictions of that model")
