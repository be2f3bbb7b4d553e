"""Renders a run as one HTML file that needs nothing else: no network, no script, no font.

Review text is hostile. The template escapes everything it prints, the page's own content security policy
forbids scripts and loading, and characters that no HTML file may hold are replaced here.
"""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Template

from scripts.labelling.report import charts
from scripts.labelling.report.highlight import pieces
from scripts.labelling.report.summary import REJECTIONS_SHOWN, SAMPLES_PER_CATEGORY, UNSURE_SHOWN, RunSummary
from scripts.pages import figures
from scripts.pages.templates import environment

# C0 controls, DEL, C1 controls, lone surrogates and the two non-characters: HTML allows none of them.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def render(summary: RunSummary) -> str:
    """The whole page, ready to be written as UTF-8."""
    page = _template().render(
        summary=summary,
        outcome=charts.outcome(summary),
        widest=max((row.count for row in summary.categories), default=0),
        entered=max((stage.seen for stage in summary.stages), default=0),
        histograms=[charts.confidences(stage) for stage in summary.stages if any(stage.histogram)],
        titles={row.slug: row.title for row in summary.categories},
        samples_shown=SAMPLES_PER_CATEGORY,
        unsure_shown=UNSURE_SHOWN,
        rejections_shown=REJECTIONS_SHOWN,
    )
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", page)


@cache
def _template() -> Template:
    templates = environment("labelling/report")
    templates.globals.update(
        figures=figures, pieces=pieces, stage_slices=charts.stage_slices, box=(charts.WIDTH, charts.HEIGHT)
    )
    return templates.get_template("report.html")
