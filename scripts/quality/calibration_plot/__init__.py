"""Precision against coverage of every stage of a chain, over all thresholds that were tried: a picture."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from scripts.pages.templates import environment
from shared.quality.calibration import ThresholdPoint
from shared.quality.certification import StageFinding

WIDTH = 720
HEIGHT = 340
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 60, 50


class Panel(msgspec.Struct, frozen=True):
    """One stage: its curves as SVG points, the ticks of its axes, the chosen point, and what a reader is told."""

    title: str
    note: str
    measured: str
    band: str
    target_y: float
    chosen: tuple[float, float] | None
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    top: int


def render(findings: Sequence[StageFinding], target: float, suffix: str) -> str:
    """The picture as SVG where `suffix` is `.svg`, else inside a self-contained HTML page."""
    panels = [_panel(finding, target, at) for at, finding in enumerate(findings)]
    picture = (
        environment("quality/calibration_plot")
        .get_template("plot.svg")
        .render(
            panels=panels,
            target=target,
            width=WIDTH,
            panel=HEIGHT,
            height=HEIGHT * len(panels),
            box=(LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM),
        )
    )
    if suffix.lower() == ".svg":
        return picture
    page = environment("quality/calibration_plot").get_template("plot.html")
    return page.render(picture=Markup(picture))  # noqa: S704  our own SVG, escaped


def _panel(finding: StageFinding, target: float, at: int) -> Panel:
    points = [point for point in _points(finding) if point.kept]
    least = min([target, *(point.bound for point in points)], default=target)
    bottom = max(0.0, min(0.9, least - 0.02))
    found = [certificate.chosen for certificate in finding.certificates.values() if certificate.chosen]
    chosen = found[0] if len(finding.certificates) == 1 and found else None

    def x(point: ThresholdPoint) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * point.kept / max(1, finding.reached)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (max(value, bottom) - bottom) / (1 - bottom))

    upper = [f"{x(point):.1f},{y(point.precision):.1f}" for point in points]
    lower = [f"{x(point):.1f},{y(point.bound):.1f}" for point in reversed(points)]
    note = f"{finding.answers:,} answers on {finding.reached:,} gold reviews that reach it"
    if chosen is not None:
        kept = f"keeps {chosen.kept:,} from {chosen.threshold:.2f}"
        note += f"; {kept}, precision {chosen.precision:.3f}, at least {chosen.bound:.3f}"
    elif not found:
        note += "; not certified"
    return Panel(
        title=finding.stage,
        note=note,
        measured=" ".join(upper),
        band=" ".join([*upper, *lower]),
        target_y=y(target),
        chosen=(x(chosen), y(chosen.precision)) if chosen else None,
        x_ticks=[(LEFT + (WIDTH - LEFT - RIGHT) * part / 5, f"{part / 5:.1f}") for part in range(6)],
        y_ticks=[(y(value), f"{value:.2f}") for value in _ticks(bottom)],
        top=HEIGHT * at,
    )


def _points(finding: StageFinding) -> Sequence[ThresholdPoint]:
    """The thresholds tried, all answers together: with groups, those of the largest one."""
    return max(finding.certificates.values(), key=lambda found: found.answers).points


def _ticks(bottom: float) -> list[float]:
    step = next(step for step in (0.02, 0.05, 0.1, 0.2) if (1 - bottom) / step <= 6)
    return [1 - step * number for number in range(7) if 1 - step * number >= bottom]
