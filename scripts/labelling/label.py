"""`otzyv label`: the whole cascade on a file, with a PostgreSQL of its own and no broker."""

from __future__ import annotations

import itertools
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from scripts.command.console import err, file_progress, out, remark
from scripts.command.ending import ended_by_signals
from scripts.files import whole_file
from scripts.files.review_rows import ReviewRows, pack
from scripts.labelling import labelled_file
from scripts.labelling.report import html, terminal
from scripts.labelling.report.summary import StageRow
from scripts.labelling.run_summary import summarise
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

# The store can be made anew from the file, so a commit need not wait for the disk.
SYNC_OFF = "options=-c%20synchronous_commit%3Doff"


def label(rows: ReviewRows, path: Path, page: Path, store: Path | None, settings: Settings) -> None:
    """Label a file, write the labels and the report, and show the tables. The database is kept in `store` if given."""
    whole_file.check(path, page, rows.file.path)
    rows.check()
    started, begun, batch = datetime.now(UTC), time.monotonic(), uuid.uuid4()
    with ended_by_signals(), err.status("starting PostgreSQL") as status, embedded_server(store) as url:
        status.stop()
        chosen = settings.model_copy(update={"database_url": f"{url}&{SYNC_OFF}"})
        database = runtime.open_database(chosen, "otzyv label")
        schema.upgrade(database)
        here = runtime.build(chosen, database)
        cascade = runtime.labeller(here)
        cascade.warm_up(cascade.order)
        clock = time.monotonic()
        err.print(f"PostgreSQL and the stages took {clock - begun:.1f} s to start")
        if store is not None:
            _take_up_waiting(cascade, here)
        tallies, rows_read = _through_the_cascade(rows, here, cascade, batch)
        labelled_file.write(path, rows, here)
        seconds = time.monotonic() - clock
        summary = summarise(
            here, batch, tallies, rows_read, input_name=rows.file.name, started=started, seconds=seconds
        )
        database.close()
    whole_file.write_text(page, html.render(summary))
    out.print(terminal.tables(summary))


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
    rows: ReviewRows, here: Runtime, cascade: Labeller, batch: uuid.UUID
) -> tuple[list[StageRow], int]:
    tallies = {stage: StageRow(stage=stage, threshold=cascade.threshold(stage)) for stage in cascade.order}
    silent: set[str] = set()
    rows_read, numbers, file = 0, itertools.count(), rows.file
    with file_progress() as progress:
        task = progress.add_task(file.name, total=1.0, reviews=0)
        for _, wire in rows.chunks():
            for group in pack(wire, here.settings.batch_rows):
                data = encode(group, BatchPart(batch, next(numbers), name=file.name))
                message = decode(data, max_text_chars=here.settings.max_text_chars)
                if here.settings.mask_personal_data:
                    message = masked(message)
                _label_message(cascade, here, message, tallies, silent)
                rows_read += len(group)
                progress.update(task, completed=file.fraction_read, reviews=rows_read)
        progress.update(task, completed=1.0)
    return list(tallies.values()), rows_read


def _label_message(
    cascade: Labeller, here: Runtime, message: Message, tallies: dict[str, StageRow], silent: set[str]
) -> None:
    """Label its reviews, and count what each stage does. `silent` are stages that nobody answers for."""
    stage: str | None = cascade.order[0]
    stored = take_in(
        here.database,
        [message],
        queue="otzyv label",
        taxonomy_id=here.taxonomy_id,
        first_stage=cascade.order[0],
    )
    ids = stored.first_stage
    while stage is not None and ids and stage not in silent:
        outcome = _run(cascade, stage, ids)
        tally, counts = tallies[stage], outcome.counts
        tallies[stage] = replace(
            tally,
            seen=tally.seen + counts.seen,
            kept=tally.kept + counts.kept,
            abstained=tally.abstained + counts.abstained,
        )
        # Not one answer in a batch: the rest need not be asked.
        if counts.seen and len(outcome.unanswered) == counts.seen:
            silent.add(stage)
        stage, ids = outcome.next_stage, outcome.forward
