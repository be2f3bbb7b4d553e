"""From stored labels to the summary that the report shows."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

import msgspec
from psycopg2.extensions import cursor as Cursor

from scripts.labelling.report.summary import (
    BINS,
    REJECTIONS_SHOWN,
    SAMPLES_PER_CATEGORY,
    UNSURE_SHOWN,
    CategoryRow,
    Rejection,
    RunSummary,
    Sample,
    StageRow,
    StatusCounts,
)
from shared.cascade.stage import Match
from shared.labelling.labeller import StageOutcome
from shared.runtime.runtime import Runtime
from shared.store import batches
from shared.store.reports import export, overview
from shared.store.reports.export import LabelledExample
from shared.store.reports.overview import CategoryCount


class StageTally(msgspec.Struct):
    """What one stage did in a run so far."""

    stage: str
    threshold: float | None
    seen: int = 0
    kept: int = 0
    abstained: int = 0
    silent: bool = False
    """Whether the last batch got no answer at all: then nobody answers, and the rest need not be asked."""

    def add(self, outcome: StageOutcome) -> None:
        """Count one batch."""
        self.silent = outcome.counts.seen > 0 and len(outcome.unanswered) == outcome.counts.seen
        self.seen += outcome.counts.seen
        self.kept += outcome.counts.kept
        self.abstained += outcome.counts.abstained


def summarise(
    here: Runtime,
    batch: uuid.UUID,
    tallies: Sequence[StageTally],
    rows_read: int,
    *,
    title: str,
    input_name: str,
    started: datetime,
    seconds: float,
) -> RunSummary:
    """Everything the report shows about one batch."""
    with here.database.transaction() as cursor:
        counts = overview.categories(cursor, str(batch), here.taxonomy_id)
        progress = batches.progress(cursor, str(batch), here.taxonomy_id)
        sure = export.examples(cursor, str(batch), here.taxonomy_id, SAMPLES_PER_CATEGORY, "accepted")
        unsure = export.examples(cursor, str(batch), here.taxonomy_id, UNSURE_SHOWN, "needs_review")
        rejected, rejections = export.rejections(cursor, str(batch), REJECTIONS_SHOWN)
        stages = tuple(_stage(cursor, here, batch, tally) for tally in tallies)
    totals = dict.fromkeys(("accepted", "needs_review", "human"), 0)
    for row in counts:
        totals[row.status] += row.count
    return RunSummary(
        title=title,
        input_name=input_name,
        taxonomy=here.taxonomy.name,
        taxonomy_version=here.taxonomy.version,
        started=started,
        seconds=seconds,
        rows_read=rows_read,
        rejected=rejected,
        statuses=StatusCounts(**totals, waiting=sum(progress.waiting.values()) if progress else 0),
        categories=_categories(here, counts, sure),
        stages=stages,
        unsure=tuple(_sample(example) for example in unsure[:UNSURE_SHOWN]),
        rejections=tuple(Rejection(where=where, reason=reason) for where, reason in rejections),
    )


def _stage(cursor: Cursor, here: Runtime, batch: uuid.UUID, tally: StageTally) -> StageRow:
    bins, mean = overview.confidences(cursor, str(batch), here.taxonomy_id, tally.stage, BINS)
    return StageRow(
        stage=tally.stage,
        seen=tally.seen,
        kept=tally.kept,
        abstained=tally.abstained,
        threshold=tally.threshold,
        mean_confidence=mean,
        histogram=bins,
    )


def _categories(
    here: Runtime, counts: Sequence[CategoryCount], examples: Sequence[LabelledExample]
) -> tuple[CategoryRow, ...]:
    rows = []
    for category in here.taxonomy.categories:
        mine = [row for row in counts if row.category == category.slug and row.status != "needs_review"]
        total = sum(row.count for row in mine)
        weighted = sum((row.mean_confidence or 0.0) * row.count for row in mine)
        rows.append(
            CategoryRow(
                slug=category.slug,
                title=category.title,
                count=total,
                mean_confidence=weighted / total if total else None,
                samples=tuple(_sample(example) for example in examples if example.category == category.slug),
            )
        )
    return tuple(rows)


def _sample(example: LabelledExample) -> Sample:
    evidence = example.evidence
    return Sample(
        external_id=example.external_id,
        text=example.text,
        category=example.category,
        confidence=example.confidence,
        stage=example.stage,
        matches=msgspec.convert(evidence, tuple[Match, ...]) if isinstance(evidence, list) else (),
    )
