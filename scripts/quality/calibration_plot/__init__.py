"""Precision against coverage of every stage of a chain, over all thresholds that were tried: a picture."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.pages.axis import Axis
from scripts.pages.templates import rendered
from shared.quality.certification import StageFinding

WIDTH = 720
HEIGHT = 340
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 60, 50


def render(findings: Sequence[StageFinding], target: float, suffix: str) -> str:
    """The picture as SVG where `suffix` is `.svg`, else inside a self-contained HTML page."""
    panels = [_panel(finding, target, HEIGHT * at) for at, finding in enumerate(findings)]
    picture = rendered(
        "quality/calibration_plot/plot.svg",
        panels=panels,
        target=target,
        width=WIDTH,
        height=HEIGHT * len(panels),
        box=(LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM),
    )
    svg = suffix.lower() == ".svg"
    return picture if svg else rendered("quality/calibration_plot/plot.html", picture=picture)


def _panel(finding: StageFinding, target: float, top: int) -> dict[str, object]:
    """One stage: its curves as SVG points, the ticks of its axes, the chosen point, and what a reader is told."""
    # The thresholds tried, all answers together: with groups, those of the largest one.
    largest = max(finding.certificates.values(), key=lambda certificate: certificate.answers)
    points = [point for point in largest.points if point.kept]
    found = [certificate.chosen for certificate in finding.certificates.values() if certificate.chosen]
    chosen = found[0] if len(finding.certificates) == 1 and found else None
    least = min([target, *(point.bound for point in points)])
    shares = Axis(0.0, 1.0, LEFT, WIDTH - RIGHT)
    x = Axis(0.0, max(1, finding.reached), LEFT, WIDTH - RIGHT)
    y = Axis(max(0.0, min(0.9, least - 0.02)), 1.0, HEIGHT - BOTTOM, TOP)
    upper = [f"{x.at(point.kept):.1f},{y.at(point.precision):.1f}" for point in points]
    lower = [f"{x.at(point.kept):.1f},{y.at(point.bound):.1f}" for point in reversed(points)]
    note = f"{finding.answers:,} answers on {finding.reached:,} gold reviews that reach it"
    if chosen is not None:
        kept = f"keeps {chosen.kept:,} from {chosen.threshold:.2f}"
        note += f"; {kept}, precision {chosen.precision:.3f}, at least {chosen.bound:.3f}"
    elif not found:
        note += "; not certified"
    return {
        "title": finding.stage,
        "note": note,
        "measured": " ".join(upper),
        "band": " ".join([*upper, *lower]),
        "target_y": y.at(target),
        "chosen": (x.at(chosen.kept), y.at(chosen.precision)) if chosen else None,
        "x_ticks": shares.ticks(5),
        "y_ticks": y.ticks(digits=2)[::-1],
        "top": top,
    }
