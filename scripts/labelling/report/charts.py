"""The geometry of the report's charts, in percent or in units of the chart's own box. No markup here."""

from __future__ import annotations

from typing import Any

from scripts.labelling.report.summary import BINS, RunSummary, StageRow
from scripts.pages import figures

WIDTH = 400
HEIGHT = 120


Drawn = dict[str, Any]
"""Part of a picture, for a template."""


def outcome(summary: RunSummary) -> list[Drawn]:
    """Where the input rows ended."""
    statuses = summary.statuses
    parts = [
        ("accepted", "Labelled", statuses.accepted),
        ("human", "Labelled by a person", statuses.human),
        ("waiting", "Waiting for a later stage", statuses.waiting),
        ("review", "Needs a person", statuses.needs_review),
        ("rejected", "Rejected rows", summary.rejected),
    ]
    # People's labels appear only where there are any: most runs have none.
    return _slices([part for part in parts if part[2] or part[0] != "human"])


def stage_slices(stage: StageRow) -> list[Drawn]:
    """What one stage did with the reviews it saw."""
    return _slices(
        [
            ("accepted", "Kept", stage.kept),
            ("review", "Below the threshold", stage.unsure),
            ("waiting", "Abstained", stage.abstained),
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
            bars.append({**bar, "span": f"{at / BINS:.2f}–{(at + 1) / BINS:.2f}"})
    return {"stage": stage, "bars": bars, "line": line, "peak": peak, "spoken": _spoken(stage)}


def _spoken(stage: StageRow) -> str:
    verdicts = sum(stage.histogram)
    if not verdicts:
        return f"Confidence of {stage.stage}: no verdicts."
    peak = max(range(BINS), key=lambda at: stage.histogram[at])
    sentence = (
        f"Confidence of {figures.count(verdicts)} verdicts of {stage.stage}: most, "
        f"{figures.count(stage.histogram[peak])}, lie between {peak / BINS:.2f} and {(peak + 1) / BINS:.2f}."
    )
    if stage.threshold is None:
        return sentence
    return f"{sentence} The threshold is {figures.confidence(stage.threshold)}."
