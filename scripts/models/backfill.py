"""`otzyv backfill`: stored reviews predicted anew by a model, at low priority."""

from __future__ import annotations

import time
from pathlib import Path

from scripts.command.console import out, remark
from scripts.command.database import opened
from scripts.command.ending import told_when_ended
from scripts.command.progress import review_progress
from scripts.language.language import counted, translated
from scripts.models.registry import asking, registry
from scripts.service.waited import waited
from shared.errors import BrokerUnavailable
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.serving.backfilling import go_on
from shared.settings import Settings
from shared.store import Database, backfills
from shared.store.processes import waits
from workers.rabbitmq.queue_states import queue_states
from workers.rabbitmq.topology import in_lane
from workers.tasks import sending
from workers.tasks.backfill import LIVE

PARTS = 8
"""Parts that can be worked on at a time."""
LOOK_UP_S = 0.5
STANDS_S = 5.0


def backfill(
    model: int, settings: Settings, store: Path | None = None, *, follow: bool, anyway: bool
) -> None:
    """Start a backfill, and watch it if asked to; in a store, which no worker reads, do it here."""
    if store is not None:
        with opened(settings, store, "otzyv backfill") as here:
            work(model, here)
        return
    here = runtime.build(settings)
    asking(settings, anyway=anyway)(registry(here).get(model))
    with here.database.transaction() as cursor:
        number, parts = backfills.start(cursor, model, PARTS)
    for part in parts:
        sending.backfill_part(number, part)
    told = translated(
        "backfill {number}: model {model} predicts stored reviews that it has not seen, whenever no others wait",
        number=number,
        model=model,
    )
    out.print(told, soft_wrap=True)
    if follow and parts:
        _follow(here.database, number, settings)


def _tell_done(number: int) -> None:
    told = translated("backfill {number}: all stored reviews have predictions of that model", number=number)
    out.print(told, soft_wrap=True)


def work(model: int, here: Runtime) -> None:
    """All of a backfill in this process."""
    classifier = registry(here).artefact(model).classifier()
    with here.database.transaction() as cursor:
        number, parts = backfills.start(cursor, model, PARTS)
    with review_progress() as progress:
        task = progress.add_task(translated("backfill {number}", number=number), total=None, note="")
        for part in parts:
            more = True
            while more:
                more = go_on(here.database, lambda _: classifier, number, part, here.settings.batch_rows)
                with here.database.transaction() as cursor:
                    found = backfills.progress(cursor, number)
                if found is not None:
                    progress.update(task, completed=found.done, total=found.total)
    _tell_done(number)


def _follow(database: Database, number: int, settings: Settings) -> None:
    """Progress, and what a part waits for that fails; where nothing moves for a while, who goes first."""
    told, done, looked_at = "", -1, time.monotonic()
    still = translated("backfill {number} needs nobody to watch it", number=number)
    with review_progress() as progress, told_when_ended(translated("goes on"), lambda: still):
        task = progress.add_task(translated("backfill {number}", number=number), total=None, note="")
        while True:
            with database.transaction() as cursor:
                found = backfills.progress(cursor, number)
                tried = waits.listed(cursor, f"backfill {number} ")
            if found is None or found.done >= found.total:
                break
            if tried and tried[0].reason != told:
                told = tried[0].reason
                remark(translated("waits for its next try"), waited(tried[0]))
            if found.done != done or tried:
                done, looked_at = found.done, time.monotonic()
                progress.update(task, note=translated("waits: {why}", why=told) if tried else "")
            elif time.monotonic() - looked_at >= STANDS_S:
                looked_at = time.monotonic()
                progress.update(task, note=who_goes_first(settings))
            progress.update(task, completed=found.done, total=found.total)
            time.sleep(LOOK_UP_S)
    _tell_done(number)


def who_goes_first(settings: Settings) -> str:
    """Which live reviews a backfill waits for; empty where there are none."""
    try:
        ready = {state.line: state.messages or 0 for state in queue_states(settings.hasty)}
    except BrokerUnavailable as error:
        return str(error)
    waiting = sum(ready[line] + ready.get(in_lane(line, "bulk"), 0) for line in LIVE)
    if not waiting:
        return translated("no worker has begun with it")
    return counted(
        "{number} batch of live reviews goes first", "{number} batches of live reviews go first", waiting
    )
