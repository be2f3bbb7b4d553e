"""Renders a run as one HTML file that needs nothing else."""

from __future__ import annotations

import msgspec

from scripts.labelling.report import charts
from scripts.labelling.report.highlight import Piece, pieces
from scripts.labelling.report.summary import REJECTIONS_SHOWN, SAMPLES_PER_CATEGORY, UNSURE_SHOWN, RunSummary
from scripts.pages.templates import rendered
from shared.cascade.stage import Match
from shared.store.reports.export import LabelledExample


def render(summary: RunSummary) -> str:
    """The whole page, ready to be written as UTF-8."""
    return rendered(
        "labelling/report/report.html",
        summary=summary,
        outcome=charts.outcome(summary),
        stage_slices=charts.stage_slices,
        pieces=_pieces,
        box=(charts.WIDTH, charts.HEIGHT),
        widest=max((row.count for row in summary.categories), default=0),
        entered=max((stage.seen for stage in summary.stages), default=0),
        histograms=[charts.confidences(stage) for stage in summary.stages if any(stage.histogram)],
        titles={row.slug: row.title for row in summary.categories},
        samples_shown=SAMPLES_PER_CATEGORY,
        unsure_shown=UNSURE_SHOWN,
        rejections_shown=REJECTIONS_SHOWN,
    )


def _pieces(example: LabelledExample) -> list[Piece]:
    """Its text at the matches of its evidence; other evidence has no places in the text."""
    evidence = example.evidence if isinstance(example.evidence, list) else []
    return pieces(example.text, msgspec.convert(evidence, list[Match]))
