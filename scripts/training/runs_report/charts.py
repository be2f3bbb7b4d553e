"""The geometry of a leaderboard's pictures, in units of each picture's own box. No markup here."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any, Final

from scripts.language.language import translated
from scripts.pages.axis import Axis
from scripts.pages.colours import CURVES
from scripts.training.runs_report.findings import Entry, Leaderboard

BAR_WIDTH: Final = 170
BAR_MARGIN: Final = 14

PANEL: Final = (520, 260)
"""Width and height of the plot of one panel of curves, without its margins."""

LEFT, TOP, RIGHT, BOTTOM = 56, 16, 20, 50

MOST_POINTS: Final = 200
"""Points of a curve that are drawn: more would make a page that no browser likes, and no picture finer."""

Pixel = tuple[float, float]
EpochPanel = dict[str, Any]
"""Two figures over epochs, one drawn whole and one dashed, for every run: what the picture's template takes."""


def interval_axis(board: Leaderboard) -> Axis:
    """The axis that the weighted F1 of all entries share."""
    values = [value for one in board.entries for value in (one.weighted.low, one.weighted.high)]
    return Axis(*_share_range(values), BAR_MARGIN, BAR_WIDTH - BAR_MARGIN)


def heat(value: float, board: Leaderboard) -> float:
    """How strongly a cell of the table of categories is coloured, 0..1: its place between the table's extremes."""
    values = [each for one in board.entries for each in one.categories.values()]
    low, high = min(values), max(values)
    return (value - low) / (high - low) if high > low else 1.0


def f1_range(board: Leaderboard) -> tuple[float, float]:
    """What the F1 curves of all architectures lie in, so that their pictures can be compared."""
    values = [
        value
        for one in board.entries
        for curves in one.curves.values()
        for name in ("held_out_weighted_f1", "held_out_macro_f1")
        for _, value in curves.get(name, ())
    ]
    return _share_range(values or [0.0, 1.0])


def panels(entry: Entry, f1: tuple[float, float]) -> list[EpochPanel]:
    """Loss and F1 of one entry's runs over epochs; F1 on the range that all entries share."""
    losses = [
        value
        for curves in entry.curves.values()
        for name in ("loss", "held_out_loss")
        for _, value in _thinned(curves.get(name, ()))
    ]
    span = _padded(losses or [0.0, 1.0])
    losses_of = ("loss", translated("training")), ("held_out_loss", translated("held out"))
    f1_of = ("held_out_weighted_f1", translated("weighted")), ("held_out_macro_f1", translated("macro"))
    return [
        _panel(entry, translated("loss"), *losses_of, span),
        _panel(entry, translated("F1 on held-out labels"), *f1_of, f1),
    ]


def colours(entry: Entry) -> dict[int, str]:
    """The name of each run's colour."""
    return {run: CURVES[at % len(CURVES)] for at, run in enumerate(entry.curves)}


def _panel(
    entry: Entry,
    title: str,
    solid: tuple[str, str],
    dashed: tuple[str, str],
    span: tuple[float, float],
) -> EpochPanel:
    width, height = PANEL
    epochs = [point[0] for curves in entry.curves.values() for line in curves.values() for point in line]
    x = Axis(0.0, max(epochs, default=0.0) or 1.0, LEFT, LEFT + width)
    y = Axis(*span, TOP + height, TOP)
    lines = [
        {
            "colour": colour,
            "dashed": dash,
            "points": [(x.at(epoch), y.at(value)) for epoch, value in _thinned(curves[name])],
        }
        for colour, curves in zip(colours(entry).values(), entry.curves.values(), strict=True)
        for name, dash in ((solid[0], False), (dashed[0], True))
        if curves.get(name)
    ]
    ticks = {"x_ticks": x.ticks(), "y_ticks": y.ticks()}
    return {"title": title, "solid": solid[1], "dashed": dashed[1], "lines": lines, **ticks}


def _thinned(points: Sequence[Pixel]) -> list[Pixel]:
    """Every so many points, each the mean of those that it stands for: the noise of steps would hide the course."""
    every = max(1, ceil(len(points) / MOST_POINTS))
    groups = [points[at : at + every] for at in range(0, len(points), every)]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups
    ]


def _share_range(values: Sequence[float]) -> tuple[float, float]:
    """A range with these values in it, some room around them, and nothing outside 0..1."""
    low, high = _padded(values)
    return max(0.0, low), min(1.0, high)


def _padded(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    pad = 0.06 * (high - low) or max(0.01, 0.01 * abs(high))
    return low - pad, high + pad
