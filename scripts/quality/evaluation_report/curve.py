"""What reaches the last stage of a chain against the F1 of the final labels: a picture."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.language.language import translated
from scripts.pages import figures
from scripts.pages.axis import Axis
from scripts.pages.templates import rendered
from scripts.quality.evaluation_report.findings import Evaluation
from shared.quality.chains import SparePoint

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 80, WIDTH - 30, 76, HEIGHT - 62
ROOM = 0.01
"""Above and below the curve, in F1."""


def svg(result: Evaluation, paint: Mapping[str, str], from_y: int = 0) -> str:
    """The picture in these colours, from `from_y` on where a page says what stands above.

    Raises ValueError for an evaluation of fewer than two stages.
    """
    if result.spared is None:
        raise ValueError("curve: expected a chain of at least two stages, found fewer")
    points, now = result.spared.points, result.spared.now
    shown = [*points, now]
    x = Axis(0.0, max(0.01, *(point.share for point in shown)), LEFT, RIGHT)
    scores = [point.weighted_f1 for point in shown]
    y = Axis(max(0.0, min(scores) - ROOM), min(1.0, max(scores) + ROOM), BOTTOM, TOP)
    dots = [(x.at(point.share), y.at(point.weighted_f1), told(point)) for point in points]
    return rendered(
        "quality/evaluation_report/curve.svg",
        paint=paint,
        from_y=from_y,
        name=result.title,
        before=result.spared.before,
        last=result.spared.last,
        now=now,
        dots=dots,
        line=" ".join(f"{across:.1f},{up:.1f}" for across, up, _ in dots),
        ring=(x.at(now.share), y.at(now.weighted_f1)),
        x_ticks=x.ticks(8),
        y_ticks=y.ticks(6),
        width=WIDTH, height=HEIGHT, left=LEFT, right=RIGHT, top=TOP, bottom=BOTTOM,
    )  # fmt: skip


def told(point: SparePoint) -> str:
    """A point in words."""
    values = {"share": figures.percent(point.share), "f1": figures.share(point.weighted_f1)}
    if point.threshold is None:
        return translated("keeps nothing: {share} reach the last stage, weighted F1 on gold {f1}", **values)
    least = figures.confidence(point.threshold)
    return translated(
        "from {least}: {share} reach the last stage, weighted F1 on gold {f1}", least=least, **values
    )
