"""From stored labels to the summary that the report shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec.structs import replace
from psycopg2.extensions import cursor as Cursor

from scripts.labelling.report.summary import (
    BINS,
    REJECTIONS_SHOWN,
    SAMPLES_PER_CATEGORY,
    UNSURE_SHOWN,
    CategoryRow,
    RunSummary,
    StageRow,
    StatusCounts,
)
from scripts.language.language import counted, translated
from scripts.pages import figures
from shared.runtime.runtime import Runtime
from shared.store import batches
from shared.store.reports import export, overview
from shared.store.reports.export import LabelledExample
from shared.store.reports.overview import CategoryCount, StageCount

SETTLED: Final = ("accepted", "needs_review", "human")
"""Statuses of reviews that wait for no stage."""


def summarise(
    here: Runtime,
    batch: str,
    tallies: Sequence[StageRow],
    rows_read: int,
    input_name: str,
    started: datetime,
    seconds: float,
    held: str,
) -> RunSummary:
    """What a batch's report shows. Tallies know no confidences yet; `held` is certified of labels by its stages."""
    this = batch, here.taxonomy_id
    with here.database.transaction() as cursor:
        counts = overview.categories(cursor, *this)
        before = overview.settled_before(cursor, *this)
        progress = batches.progress(cursor, *this)
        sure = export.examples(cursor, *this, SAMPLES_PER_CATEGORY, "accepted")
        unsure = export.examples(cursor, *this, UNSURE_SHOWN, "needs_review")
        rejected, rejections = export.rejections(cursor, batch, REJECTIONS_SHOWN)
        stages = [with_confidences(cursor, *this, tally) for tally in tallies]
    totals = {status: sum(row.count for row in counts if row.status == status) for status in SETTLED}
    return RunSummary(
        title=translated("Categories of {file}", file=input_name),
        input_name=input_name,
        taxonomy=here.taxonomy.name,
        taxonomy_version=here.taxonomy.version,
        started=started,
        seconds=seconds,
        rows_read=rows_read,
        rejected=rejected,
        statuses=StatusCounts(**totals, waiting=sum(progress.waiting.values()) if progress else 0),
        categories=_categories(here, counts, sure),
        stages=tuple(stages),
        unsure=tuple(unsure[:UNSURE_SHOWN]),
        rejections=tuple(rejections),
        certified=held if by_stages(tallies, before) else "",
        earlier=earlier_in_words(before),
    )


def with_confidences(cursor: Cursor, batch: str, taxonomy_id: int, tally: StageRow) -> StageRow:
    """What a stage did, and how sure it was."""
    bins, mean = overview.confidences(cursor, batch, taxonomy_id, tally.stage, BINS)
    return replace(tally, mean_confidence=mean, histogram=bins)


def by_stages(tallies: Iterable[StageRow], before: Iterable[StageCount]) -> bool:
    """Whether stages of this run gave any of its labels, now or before."""
    kept = {row.stage for row in before if row.status == "accepted"}
    return any(tally.kept or tally.stage in kept for tally in tallies)


def earlier_in_words(counts: Sequence[StageCount]) -> str:
    """What stages had made of reviews before the file was read; empty where they had seen none."""
    if not counts:
        return ""
    labels = [
        f"{row.stage} {figures.count(row.count)}"
        for row in counts
        if row.status == "accepted" and row.stage is not None
    ]
    if for_people := sum(row.count for row in counts if row.status == "needs_review"):
        labels.append(translated("{number} needs review", number=figures.count(for_people)))
    return counted(
        "{number} review had been judged by earlier runs, and no stage saw it now: {labels}",
        "{number} reviews had been judged by earlier runs, and no stage saw them now: {labels}",
        sum(row.count for row in counts),
        labels=", ".join(labels),
    )


def _categories(
    here: Runtime, counts: Sequence[CategoryCount], examples: Sequence[LabelledExample]
) -> tuple[CategoryRow, ...]:
    rows = []
    for category in here.taxonomy.categories:
        mine = [row for row in counts if row.category == category.slug and row.status != "needs_review"]
        rows.append(
            CategoryRow(
                slug=category.slug,
                title=category.title,
                count=sum(row.count for row in mine),
                mean_confidence=mean_confidence(mine),
                samples=tuple(example for example in examples if example.category == category.slug),
            )
        )
    return tuple(rows)


def mean_confidence(counts: Sequence[CategoryCount]) -> float | None:
    """The mean over all labels of which a confidence is known: people give none."""
    sure = [(row.mean_confidence, row.count) for row in counts if row.mean_confidence is not None]
    return sum(mean * count for mean, count in sure) / sum(count for _, count in sure) if sure else None
