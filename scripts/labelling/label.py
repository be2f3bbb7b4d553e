"""`otzyv label`: the whole cascade on a file, with a PostgreSQL of its own and no broker."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from scripts.command import promise
from scripts.command.console import err, out, remark
from scripts.command.database import models_in, started
from scripts.command.progress import file_progress, phase
from scripts.files import whole_file
from scripts.files.review_rows import ReviewRows, pack
from scripts.files.whole_file import OutFile
from scripts.labelling import labelled_file
from scripts.labelling.report import html, terminal
from scripts.labelling.report.summary import RunSummary, StageRow
from scripts.labelling.run_summary import summarise
from scripts.labelling.unfinished import UnfinishedRun, identity, unfinished
from scripts.language.language import counted, decimal, grouped, translated
from shared.catalogue import LLM, light_stages
from shared.errors import ConfigurationError
from shared.intake.intake import take_in
from shared.intake.judging import Judging
from shared.labelling import rationing
from shared.labelling.labeller import Labeller, StageOutcome
from shared.labelling.opinion import StageCounts
from shared.reviews.wire import BatchPart, Message, decode, encode, masked
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store import asked, batches, places, thresholds
from shared.store.postgres import schema
from shared.store.postgres.embedded import undisturbed

# The store can be made anew from the file, so a commit need not wait for the disk.
SYNC_OFF = "options=-c%20synchronous_commit%3Doff"


def label(rows: ReviewRows, labels: OutFile, page: Path, store: Path | None, settings: Settings) -> None:
    """Label a file, write the labels and the report, and show the tables. The database is kept in `store` if given.

    A run that is interrupted keeps what it has done, and the same command goes on from there.
    """
    whole_file.check(labels.path, page, rows.file.path)
    rows.check_ids()
    with unfinished(labels.path, store, identity(rows, settings)) as run:
        summary = _labelled(rows, labels, run, settings)
        with phase(translated("writing {file}", file=page.name)):
            whole_file.write_text(page, html.render(summary))
    out.print(terminal.tables(summary))


def _labelled(rows: ReviewRows, labels: OutFile, run: UnfinishedRun, settings: Settings) -> RunSummary:
    at, begun = datetime.now(UTC), time.monotonic()
    with started(run.folder) as url:
        own = {"database_url": f"{url}&{SYNC_OFF}", "models": models_in(run.folder, settings)}
        chosen = settings.model_copy(update=own)
        database = runtime.open_database(chosen, "otzyv label")
        schema.upgrade(database, tell=lambda sentence: remark(translated("note"), sentence))
        here = runtime.build(chosen, database)
        cascade = runtime.labeller(here)
        with phase(translated("loading the stages")):
            cascade.warm_up(cascade.order)
        clock = time.monotonic()
        took = decimal(clock - begun, 1)
        err.print(translated("PostgreSQL and the stages took {seconds} s to start", seconds=took))
        _take_up_waiting(cascade, here)
        rules = {stage: cascade.rule(stage) for stage in cascade.order}
        run.done.tallies = {
            stage: StageRow(stage=stage, threshold=rule.least_confidence) for stage, rule in rules.items()
        } | run.done.tallies
        before = run.done.seconds
        rows_read = _through_the_cascade(rows, here, cascade, run)
        awake = cascade.awake
        tallies = [row for row in run.done.tallies.values() if row.seen or row.stage in awake]
        labelled_file.write(labels, rows, here)
        seconds = before + time.monotonic() - clock
        with phase(translated("summing up")):
            with database.transaction() as cursor:
                version = next(iter(thresholds.versions(cursor, here.taxonomy_id, 1)), None)
            held = str(promise.by_rules(version, {stage: rules[stage] for stage in awake}) or "")
            summary = summarise(here, run.done.batch, tallies, rows_read, rows.file.name, at, seconds, held)
        database.close()
    return summary


def _take_up_waiting(cascade: Labeller, here: Runtime) -> None:
    """Reviews that an earlier run on this store left in line, for whatever stage, go on first, and that is told.

    Where tokens are rationed, those that wait for them are chosen from with all others at the end.
    """
    rows = here.settings.batch_rows
    while cascade.resettle(rows):
        pass
    for stage in cascade.order:
        if _is_rationed(stage, here):
            continue
        with here.database.transaction() as cursor:
            ids = places.ids(cursor, here.taxonomy_id, stage)
        seen = kept = 0
        for start in range(0, len(ids), rows):
            outcome = _run(cascade, stage, ids[start : start + rows])
            seen, kept = seen + outcome.counts.seen, kept + outcome.counts.kept
            if outcome.error is not None:
                break
        if seen:
            told = counted(
                "{number} review had waited for {stage} before this file; kept: {kept}",
                "{number} reviews had waited for {stage} before this file; kept: {kept}",
                seen,
                stage=stage,
                kept=grouped(kept),
            )
            remark(translated("taken up"), told)


def _run(cascade: Labeller, stage: str, ids: list[int]) -> StageOutcome:
    """A batch through a stage; reviews without an answer wait, and that is told. Raises ConfigurationError."""
    outcome = cascade.run(stage, ids)
    if isinstance(outcome.error, ConfigurationError):
        raise outcome.error
    if outcome.error is not None:
        told = counted(
            "{stage}: no answer about {number} review, which waits: {error}",
            "{stage}: no answer about {number} of the reviews, which wait: {error}",
            len(outcome.unanswered),
            stage=stage,
            error=outcome.error,
        )
        remark(translated("waiting"), told)
    return outcome


def _through_the_cascade(rows: ReviewRows, here: Runtime, cascade: Labeller, run: UnfinishedRun) -> int:
    """Label what an earlier run has not stored yet; returns how many rows the file has."""
    silent = {stage for stage in cascade.order if _is_rationed(stage, here)}
    with here.database.transaction() as cursor:
        stored = batches.stored(cursor, run.done.batch)
    rows_read, done = 0, run.done
    clock, before = time.monotonic(), done.seconds
    if stored:
        run.tell_earlier()
    with file_progress() as progress:
        task = progress.add_task(rows.file.name, total=1.0, reviews=0)
        for size, message in _messages(rows, here.settings, done.batch, stored):
            rows_read += size
            if message is not None:
                with undisturbed(_ending):
                    _label_message(cascade, here, message, done.tallies, silent)
                    done.rows, done.seconds = rows_read, before + time.monotonic() - clock
                    run.note()
            progress.update(task, completed=rows.file.fraction_read, reviews=rows_read)
        progress.update(task, completed=1.0)
    _ask_by_worth(cascade, here, done.tallies, silent)
    return rows_read


def _ending() -> None:
    remark(translated("ending"), translated("after this batch; once more ends at once"))


def _messages(
    rows: ReviewRows, settings: Settings, batch: str, stored: set[int]
) -> Iterator[tuple[int, Message | None]]:
    """The file as messages, each with the number of its rows; None for one that is stored."""
    numbers = itertools.count()
    for _, wire in rows.chunks():
        for group in pack(wire, settings.batch_rows):
            part = BatchPart(uuid.UUID(batch), next(numbers), name=rows.file.name)
            if part.number in stored:
                yield len(group), None
                continue
            message = decode(encode(group, part), max_text_chars=settings.max_text_chars)
            yield len(group), masked(message) if settings.mask_personal_data else message


def _is_rationed(stage: str, here: Runtime) -> bool:
    return stage == LLM and here.settings.llm_daily_tokens > 0


def _ask_by_worth(cascade: Labeller, here: Runtime, tallies: dict[str, StageRow], silent: set[str]) -> None:
    """Ask about those who wait for tokens, in the order of what their answers are worth, while there are any."""
    if LLM not in cascade.order or not _is_rationed(LLM, here):
        return
    silent.discard(LLM)
    with here.database.transaction() as cursor:
        ids = places.ids(cursor, here.taxonomy_id, LLM)
    ids = rationing.admitted(here.database, ids, here.taxonomy_id)  # chosen by an earlier run on this store
    limit, rows = here.settings.llm_daily_tokens, here.settings.batch_rows
    while LLM not in silent:
        for start in range(0, len(ids), rows):
            _through_stages(cascade, LLM, ids[start : start + rows], tallies, silent)
        ids = rationing.next_asked(here.database, here.taxonomy_id, limit, cascade.student)
        if not ids:
            break
    with here.database.transaction() as cursor:
        left = asked.how_many_await_tokens(cursor)
    if left:
        told = counted(
            "{number} review waits for tokens: today's {limit} are for others",
            "{number} reviews wait for tokens: today's {limit} are for others",
            left,
            limit=grouped(limit),
        )
        remark(translated("waiting"), told)


def _label_message(
    cascade: Labeller, here: Runtime, message: Message, tallies: dict[str, StageRow], silent: set[str]
) -> None:
    """Label its reviews, and count what each stage does. `silent` are stages that nobody answers for, or not yet."""
    stored = take_in(
        here.database,
        [message],
        queue="otzyv label",
        taxonomy_id=here.taxonomy_id,
        first_stage=cascade.order[0],
        judging=Judging(cascade, light_stages(here.settings)),
    )
    for stage, counts in stored.counts.items():
        _tally(tallies, stage, counts)
    for stage, ids in stored.to_stages.items():
        _through_stages(cascade, stage, ids, tallies, silent)


def _tally(tallies: dict[str, StageRow], stage: str, counts: StageCounts) -> None:
    tally = tallies[stage]
    tallies[stage] = replace(
        tally,
        seen=tally.seen + counts.seen,
        kept=tally.kept + counts.kept,
        abstained=tally.abstained + counts.abstained,
    )


def _through_stages(
    cascade: Labeller, first: str, ids: list[int], tallies: dict[str, StageRow], silent: set[str]
) -> None:
    """Reviews through a stage and those after it, up to one that is silent, or that falls silent now."""
    stage: str | None = first
    while stage is not None and ids and stage not in silent:
        outcome = _run(cascade, stage, ids)
        counts = outcome.counts
        _tally(tallies, stage, counts)
        # Not one answer in a batch: the rest need not be asked.
        if counts.seen and len(outcome.unanswered) == counts.seen:
            silent.add(stage)
        stage, ids = outcome.next_stage, outcome.forward
