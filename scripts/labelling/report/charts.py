"""The geometry of the report's charts, in percent or in units of the chart's own box. No markup here."""

from __future__ import annotations

from typing import Any

from scripts.labelling.report.summary import BINS, RunSummary, StageRow
from scripts.language.language import counted, translated
from scripts.pages import figures

WIDTH = 400
HEIGHT = 120


Drawn = dict[str, Any]
"""Part of a picture, for a template."""


def outcome(summary: RunSummary) -> list[Drawn]:
    """Where the input rows ended."""
    statuses = summary.statuses
    parts = [
        ("accepted", translated("Labelled"), statuses.accepted),
        ("human", translated("Labelled by a person"), statuses.human),
        ("waiting", translated("Waiting for a later stage"), statuses.waiting),
        ("review", translated("Needs a person"), statuses.needs_review),
        ("rejected", translated("Rejected rows"), summary.rejected),
    ]
    # People's labels appear only where there are any: most runs have none.
    return _slices([part for part in parts if part[2] or part[0] != "human"])


def stage_slices(stage: StageRow) -> list[Drawn]:
    """What one stage did with the reviews it saw."""
    return _slices(
        [
            ("accepted", translated("Kept"), stage.kept),
            ("review", translated("Below the threshold"), stage.unsure),
            ("waiting", translated("Abstained"), stage.abstained),
        ]
    )


def _slices(parts: list[tuple[str, str, int]]) -> list[Drawn]:
    """Parts of a stacked bar: a CSS class, its name, how many, and its width in percent of the bar."""
    total = sum(count for _, _, count in parts) or 1
    return [
        {
            "kind": kind,
            "name": name,
            "count": count,
            "percent": 100 * count / total,
            "share": figures.percent(count / total),
        }
        for kind, name, count in parts
    ]


def confidences(stage: StageRow) -> Drawn:
    """The verdicts of one stage by confidence; `line` is the threshold's x, None without a threshold.

    Its bars are in units of a WIDTH x HEIGHT box; `kept_x` is where the kept part of one begins.
    """
    peak = max(stage.histogram, default=0)
    line = None if stage.threshold is None else stage.threshold * WIDTH
    width = WIDTH / BINS
    bars = []
    for at, count in enumerate(stage.histogram):
        if count:
            x = at * width
            # A lone verdict beside a peak of thousands must still be seen.
            height = max(2.0, HEIGHT * count / peak)
            bar: Drawn = {"x": x, "y": HEIGHT - height, "width": width, "height": height, "count": count}
            bar["kept_x"] = x if line is None else min(max(x, line), x + width)
            bars.append({**bar, "span": "–".join(_edges(at))})
    return {"stage": stage, "bars": bars, "line": line, "peak": peak, "spoken": _spoken(stage)}


def _spoken(stage: StageRow) -> str:
    verdicts = sum(stage.histogram)
    if not verdicts:
        return translated("Confidence of {stage}: no verdicts.", stage=stage.stage)
    peak = max(range(BINS), key=lambda at: stage.histogram[at])
    low, high = _edges(peak)
    sentence = counted(
        "Confidence of {number} verdict of {stage}: most, {most}, lie between {low} and {high}.",
        "Confidence of {number} verdicts of {stage}: most, {most}, lie between {low} and {high}.",
        verdicts,
        stage=stage.stage,
        most=figures.count(stage.histogram[peak]),
        low=low,
        high=high,
    )
    if stage.threshold is None:
        return sentence
    return f"{sentence} {translated('Kept from a confidence of {value}.', value=figures.confidence(stage.threshold))}"


def _edges(at: int) -> tuple[str, str]:
    """The lower and the upper edge of a bin."""
    return figures.confidence(at / BINS), figures.confidence((at + 1) / BINS)
