"""Renders a run as one HTML file that needs nothing else."""

from __future__ import annotations

from scripts.labelling.report import charts
from scripts.labelling.report.highlight import pieces
from scripts.labelling.report.summary import REJECTIONS_SHOWN, SAMPLES_PER_CATEGORY, UNSURE_SHOWN, RunSummary
from scripts.pages.templates import rendered


def render(summary: RunSummary) -> str:
    """The whole page, ready to be written as UTF-8."""
    return rendered(
        "labelling/report/report.html",
        summary=summary,
        outcome=charts.outcome(summary),
        stage_slices=charts.stage_slices,
        pieces=pieces,
        box=(charts.WIDTH, charts.HEIGHT),
        widest=max((row.count for row in summary.categories), default=0),
        entered=max((stage.seen for stage in summary.stages), default=0),
        histograms=[charts.confidences(stage) for stage in summary.stages if any(stage.histogram)],
        titles={row.slug: row.title for row in summary.categories},
        samples_shown=SAMPLES_PER_CATEGORY,
        unsure_shown=UNSURE_SHOWN,
        rejections_shown=REJECTIONS_SHOWN,
    )
