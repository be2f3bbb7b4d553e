"""`otzyv label`: the whole cascade on a file, with a PostgreSQL of its own and no broker."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from scripts.command.console import err, file_progress, out, remark
from scripts.command.ending import ended_by_signals
from scripts.files import whole_file
from scripts.files.review_rows import ReviewRows, pack
from scripts.labelling import labelled_file, report
from scripts.labelling.report.summary import RunSummary
from scripts.labelling.run_summary import StageTally, summarise
from shared.errors import ConfigurationError
from shared.labelling.intake import take_in
from shared.labelling.labeller import Labeller, StageOutcome
from shared.reviews.wire import BatchPart, Message, decode, encode, masked
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store import places
from shared.store.postgres import schema
from shared.store.postgres.embedded import embedded_server

SYNC_OFF = "options=-c%20synchronous_commit%3Doff"


class LabelRequest(msgspec.Struct, frozen=True):
    """What `otzyv label` was asked to do."""

    rows: ReviewRows
    out: Path
    report: Path | None
    stages: tuple[str, ...]
    store: Path | None
    settings: Settings


def label(run: LabelRequest) -> RunSummary:
    """Label a file, write the labels and the report, and show the tables."""
    whole_file.check(run.out, run.report, run.rows.file.path)
    run.rows.check()
    started, begun = datetime.now(UTC), time.monotonic()
    with ended_by_signals(), _server(run.store) as url:
        here = _prepare(run.settings, url)
        cascade = runtime.labeller(here, run.stages)
        cascade.warm_up(run.stages)
        clock = time.monotonic()
        err.print(f"PostgreSQL and the stages took {clock - begun:.1f} s to start")
        batch = uuid.uuid4()
        if run.store is not None:
            _take_up_waiting(cascade, here)
        tallies, rows_read = _through_the_cascade(run, here, cascade, batch)
        labelled_file.write(run.out, run.rows, here)
        summary = summarise(
            here,
            batch,
            tallies,
            rows_read,
            title=f"Categories of {run.rows.file.name}",
            input_name=run.rows.file.name,
            started=started,
            seconds=time.monotonic() - clock,
        )
        here.database.close()
    if run.report is not None:
        whole_file.write_text(run.report, report.render(summary))
    out.print(report.tables(summary))
    return summary


@contextmanager
def _server(store: Path | None) -> Iterator[str]:
    status = err.status("starting PostgreSQL")
    with status, embedded_server(store) as url:
        status.stop()
        yield url


def _prepare(settings: Settings, url: str) -> Runtime:
    # The store can be made anew from the file, so a commit need not wait for the disk.
    chosen = settings.model_copy(update={"database_url": f"{url}&{SYNC_OFF}"})
    database = runtime.open_database(chosen, "otzyv label")
    schema.upgrade(database)
    return runtime.build(chosen, database)


def _take_up_waiting(cascade: Labeller, here: Runtime) -> None:
    """Reviews that an earlier run on this store left in line, for whatever stage, go on first."""
    rows = here.settings.batch_rows
    while cascade.resettle(rows):
        pass
    for stage in cascade.order:
        with here.database.transaction() as cursor:
            ids = places.ids(cursor, here.taxonomy_id, stage)
        for start in range(0, len(ids), rows):
            if _run(cascade, stage, ids[start : start + rows]).error is not None:
                break


def _run(cascade: Labeller, stage: str, ids: list[int]) -> StageOutcome:
    """A batch through a stage; reviews without an answer wait, and that is told. Raises ConfigurationError."""
    outcome = cascade.run(stage, ids)
    if isinstance(outcome.error, ConfigurationError):
        raise outcome.error
    if outcome.error is not None:
        remark(
            "waiting",
            f"{stage}: no answer about {len(outcome.unanswered)} of the reviews, which wait: {outcome.error}",
        )
    return outcome


def _through_the_cascade(
    run: LabelRequest, here: Runtime, cascade: Labeller, batch: uuid.UUID
) -> tuple[list[StageTally], int]:
    tallies = {stage: StageTally(stage, cascade.threshold(stage)) for stage in run.stages}
    rows_read, numbers, file = 0, itertools.count(), run.rows.file
    with file_progress() as progress:
        task = progress.add_task(file.name, total=1.0, reviews=0)
        for _, wire in run.rows.chunks():
            for group in pack(wire, here.settings.batch_rows):
                data = encode(group, BatchPart(batch, next(numbers), name=file.name))
                message = decode(data, max_text_chars=here.settings.max_text_chars)
                if here.settings.mask_personal_data:
                    message = masked(message)
                _label_message(cascade, here, message, tallies)
                rows_read += len(group)
                progress.update(task, completed=file.fraction_read, reviews=rows_read)
        progress.update(task, completed=1.0)
    return list(tallies.values()), rows_read


def _label_message(
    cascade: Labeller, here: Runtime, message: Message, tallies: dict[str, StageTally]
) -> None:
    first = next(iter(tallies))
    stored = take_in(
        here.database, [message], queue="otzyv label", taxonomy_id=here.taxonomy_id, first_stage=first
    )
    stage: str | None = first
    ids = stored.first_stage
    while stage is not None and ids and not tallies[stage].silent:
        outcome = _run(cascade, stage, ids)
        tallies[stage].add(outcome)
        stage, ids = outcome.next_stage, outcome.forward
