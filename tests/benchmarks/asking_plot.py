"""The curves of `asking_order` as a picture: a figure against the number of answers, mean and spread over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, pstdev

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scripts.pages.axis import Axis

WIDTH = 720
HEIGHT = 340
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 60, 50
COLOURS = {"random": "#8a94a3", "worth": "#2a6fb3"}

Curve = Mapping[int, Sequence[Mapping[str, float]]]


def drawn(panels: Mapping[str, Mapping[str, Curve]], figure: str, label: str) -> str:
    """An SVG picture with a panel for each title; each curve is named by its order."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    return templates.get_template("asking_plot.svg").render(
        width=WIDTH,
        height=HEIGHT * len(panels),
        box=(LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM),
        label=label,
        panels=[
            _panel(title, curves, figure, HEIGHT * at) for at, (title, curves) in enumerate(panels.items())
        ],
    )


def _panel(title: str, curves: Mapping[str, Curve], figure: str, top: int) -> dict[str, object]:
    """The curves as SVG points, and the ticks of the axes."""
    values = {
        by: [(answers, [each[figure] for each in seeds]) for answers, seeds in sorted(curve.items())]
        for by, curve in curves.items()
    }
    flat = [one for points in values.values() for _, seeds in points for one in seeds]
    x = Axis(0.0, max(answers for points in values.values() for answers, _ in points), LEFT, WIDTH - RIGHT)
    y = Axis(min(flat) - 0.01, max(flat) + 0.01, HEIGHT - BOTTOM, TOP)
    lines = []
    for by, points in values.items():
        mean = [(x.at(answers), fmean(seeds), pstdev(seeds)) for answers, seeds in points]
        upper = [f"{at:.1f},{y.at(one + spread):.1f}" for at, one, spread in mean]
        lower = [f"{at:.1f},{y.at(one - spread):.1f}" for at, one, spread in reversed(mean)]
        lines.append(
            {
                "name": by,
                "colour": COLOURS[by],
                "points": " ".join(f"{at:.1f},{y.at(one):.1f}" for at, one, _ in mean),
                "band": " ".join([*upper, *lower]),
            }
        )
    return {"title": title, "top": top, "lines": lines, "x_ticks": x.ticks(8), "y_ticks": y.ticks(5)}
