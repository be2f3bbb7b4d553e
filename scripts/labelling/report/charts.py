"""The geometry of the report's charts, in percent or in units of the chart's own box. No markup here."""

from __future__ import annotations

import msgspec

from scripts.labelling.report.summary import BINS, RunSummary, StageRow
from scripts.pages import figures

WIDTH = 400
HEIGHT = 120


class Slice(msgspec.Struct, frozen=True):
    """One part of a stacked bar: a CSS class, its name, how many, and its width in percent of the bar."""

    kind: str
    name: str
    count: int
    percent: float
    share: str


class HistogramBin(msgspec.Struct, frozen=True):
    """One bin of a histogram, in units of a WIDTH x HEIGHT box; `kept_x` is where its kept part begins."""

    x: float
    y: float
    width: float
    height: float
    kept_x: float
    count: int
    span: str


class Histogram(msgspec.Struct, frozen=True):
    """The verdicts of one stage by confidence; `line` is the threshold's x, None without a threshold."""

    stage: StageRow
    bars: tuple[HistogramBin, ...]
    line: float | None
    peak: int
    spoken: str


def outcome(summary: RunSummary) -> list[Slice]:
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


def stage_slices(stage: StageRow) -> list[Slice]:
    """What one stage did with the reviews it saw."""
    return _slices(
        [
            ("accepted", "Kept", stage.kept),
            ("review", "Below the threshold", stage.unsure),
            ("waiting", "Abstained", stage.abstained),
        ]
    )


def _slices(parts: list[tuple[str, str, int]]) -> list[Slice]:
    total = sum(number for _, _, number in parts) or 1
    return [
        Slice(kind, name, number, 100 * number / total, figures.percent(number / total))
        for kind, name, number in parts
    ]


def confidences(stage: StageRow) -> Histogram:
    """The histogram of one stage that has collected its confidences."""
    peak = max(stage.histogram, default=0)
    line = None if stage.threshold is None else stage.threshold * WIDTH
    width = WIDTH / BINS
    bars = []
    for at, number in enumerate(stage.histogram):
        if number:
            x = at * width
            # A lone verdict beside a peak of thousands must still be seen.
            height = max(2.0, HEIGHT * number / peak)
            kept_x = x if line is None else min(max(x, line), x + width)
            span = f"{at / BINS:.2f}–{(at + 1) / BINS:.2f}"
            bars.append(HistogramBin(x, HEIGHT - height, width, height, kept_x, number, span))
    return Histogram(stage, tuple(bars), line, peak, _spoken(stage))


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
