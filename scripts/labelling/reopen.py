"""`otzyv labels reopen`: reviews of which no stage was sure go through the cascade once more, from a stage on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from scripts.command.console import out
from scripts.command.database import opened
from scripts.command.progress import review_progress
from scripts.language.language import counted, translated
from shared.errors import ConfigurationError
from shared.settings import Settings
from shared.store import labels
from workers.tasks import sending

PART: Final = 10_000
"""Reviews in one transaction."""


def reopen(stage: str, settings: Settings, store: Path | None, *, dry_run: bool) -> None:
    """Let them wait for the stage, a part at a time, and send them where there are workers.

    A process that dies in between has opened some of them; what was not sent is sent by the sweep.
    """
    if stage not in settings.stages:
        raise ConfigurationError(
            f"--stage: expected one of the stages in use, {', '.join(settings.stages)}, found {stage!r}"
        )
    with opened(settings, store, "otzyv labels reopen") as here:
        with here.database.transaction() as cursor:
            total = labels.unsure(cursor, here.taxonomy_id)
        if dry_run or not total:
            told = counted(
                "{number} review has no label but a guess",
                "{number} reviews have no label but a guess",
                total,
            )
            out.print(told)
            return
        done, last = 0, 0
        with review_progress() as progress:
            task = progress.add_task(stage, total=total, note="")
            while True:
                with here.database.transaction() as cursor:
                    ids = labels.reopen(cursor, here.taxonomy_id, stage, last, PART)
                if not ids:
                    break
                if store is None:
                    sending.to_stage(stage, ids, here.taxonomy_id, "bulk")
                done, last = done + len(ids), ids[-1]
                progress.update(task, completed=done)
    tell_reopened(stage, done, store)


def tell_reopened(stage: str, number: int, store: Path | None) -> None:
    """How many wait now, and who judges them."""
    told = counted(
        "{number} review waits for {stage} once more",
        "{number} reviews wait for {stage} once more",
        number,
        stage=stage,
    )
    sent = translated("workers have been sent for them")
    where = sent if store is None else translated("the next `otzyv label --store` judges them")
    out.print(f"{told}; {where}", soft_wrap=True)
