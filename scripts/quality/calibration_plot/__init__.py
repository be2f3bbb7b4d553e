"""Precision against coverage over all that was tried, of every stage or of the whole chain: a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from scripts.language.language import counted, grouped, translated, written
from scripts.pages import colours, figures
from scripts.pages.axis import Axis
from scripts.pages.templates import rendered
from shared.quality.calibration import CERTAINTY, ThresholdPoint
from shared.quality.certification import StageFinding
from shared.quality.chain_certificate import ChainFinding, ChainPoint, SequenceFinding
from shared.quality.chain_family import MAIN_SEQUENCE

WIDTH = 720
HEIGHT = 360
LEFT, RIGHT, TOP, BOTTOM = 80, 30, 60, 62

Dot = tuple[int, float, float]
"""How many answers are kept, how precise they are, and how precise at least."""
PageWords = Mapping[str, object]
"""What the page says beside its pictures, as `precision.html` takes it."""
NOTHING: PageWords = {"reasons": (), "certainty": CERTAINTY, "titles": {}}


class Panel(msgspec.Struct, frozen=True):
    """One picture before it is drawn: its head, all that was tried and what was chosen, out of so many reviews."""

    title: str
    note: str
    dots: Sequence[Dot]
    chosen: Dot | None
    reviews: int


def render_stages(
    findings: Sequence[StageFinding], target: float, suffix: str, told: PageWords = NOTHING
) -> str:
    """A panel for each stage, as SVG where `suffix` is `.svg`, else inside a self-contained HTML page."""
    panels = [_of_stage(finding) for finding in findings]
    return _render(panels, target, suffix, chain=False, told={**told, "findings": findings})


def render_chains(finding: ChainFinding, suffix: str, told: PageWords = NOTHING) -> str:
    """A panel for the main sequence and one for each other that has a certified chain, in the same way."""
    main, *others = finding.sequences
    panels = [_of_sequence(finding, one) for one in [main, *(one for one in others if one.passed)]]
    words = {"finding": finding, "tested": chains_tested(finding), "not_drawn": not_drawn(others)}
    return _render(panels, finding.target, suffix, chain=True, told={**told, **words})


def chains_tested(finding: ChainFinding) -> str:
    """How many chains were tested and how many of them are certified, in all sequences together."""
    return translated(
        "{tested} chains tested in {sequences} fixed sequences, {certified} certified",
        tested=grouped(sum(len(one.points) for one in finding.sequences)),
        sequences=len(finding.sequences),
        certified=grouped(len(finding.passed)),
    )


def not_drawn(others: Sequence[SequenceFinding]) -> str:
    """Which sequences beside the main one have no picture, and why; empty where all have one."""
    names = [sequence_title(one.name) for one in others if not one.passed]
    if not names:
        return ""
    return counted(
        "{number} sequence has no picture, because its first chain failed: {names}",
        "{number} sequences have no picture, because the first chain of each failed: {names}",
        len(names),
        names="; ".join(names),
    )


def _render(panels: Sequence[Panel], target: float, suffix: str, *, chain: bool, told: PageWords) -> str:
    """All panels have the same axes, so that one can be compared with another."""
    least = min([target, *(bound for panel in panels for _, _, bound in panel.dots)])
    y = Axis(max(0.0, min(0.9, least - 0.02)), 1.0, HEIGHT - BOTTOM, TOP)
    drawn = [_drawn(panel, y, target) for panel in panels]
    if suffix.lower() == ".svg":
        return _picture(drawn, target, colours.LIGHT, chain=chain)
    return rendered(
        "quality/calibration_plot/precision.html",
        panels=panels,
        pictures=[_picture([one], target, colours.IN_A_PAGE, chain=chain, from_y=TOP - 15) for one in drawn],
        target=target,
        **told,
    )


def _picture(
    drawn: Sequence[Mapping[str, object]],
    target: float,
    paint: Mapping[str, str],
    *,
    chain: bool,
    from_y: int = 0,
) -> str:
    """Panels one below the other; from `from_y` on where a page says what stands above."""
    return rendered(
        "quality/calibration_plot/plot.svg",
        panels=[{**panel, "top": HEIGHT * at} for at, panel in enumerate(drawn)],
        paint=paint,
        target=target,
        chain=chain,
        from_y=from_y,
        width=WIDTH,
        height=HEIGHT * len(drawn),
        box=(LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM),
    )


def _of_stage(finding: StageFinding) -> Panel:
    # The thresholds tried, all answers together: with groups, those of the largest one.
    largest = max(finding.certificates.values(), key=lambda certificate: certificate.answers)
    points = [point for point in largest.points if point.kept]
    found = [certificate.chosen for certificate in finding.certificates.values() if certificate.chosen]
    chosen = found[0] if len(finding.certificates) == 1 and found else None
    note = translated(
        "{answers} answers on {reached} gold reviews that reach it",
        answers=grouped(finding.answers),
        reached=grouped(finding.reached),
    )
    if chosen is not None:
        note += "; " + translated(
            "keeps {kept} from {least}, precision {precision}, at least {bound}",
            kept=grouped(chosen.kept),
            least=figures.confidence(chosen.threshold),
            precision=figures.share(chosen.precision),
            bound=figures.share(chosen.bound),
        )
    elif not found:
        note += f"; {translated('not certified')}"
    dot = _dot(chosen) if chosen else None
    return Panel(finding.stage, note, [*map(_dot, points)], dot, finding.reached)


def _of_sequence(finding: ChainFinding, sequence: SequenceFinding) -> Panel:
    points = [point for point in sequence.points if point.kept]
    chosen = finding.chosen if finding.chosen in points[: sequence.passed] else None
    note = translated(
        "{tested} chains tested at a risk of {risk}, {certified} certified",
        tested=len(sequence.points),
        risk=written(f"{sequence.risk:.3g}"),
        certified=sequence.passed,
    )
    if chosen is not None:
        least = "; ".join(map(figures.confidence, chosen.thresholds))
        note += "; " + translated(
            "chosen: from {least}, keeps {kept}", least=least, kept=grouped(chosen.kept)
        )
    title = f"{','.join(finding.order)}, {sequence_title(sequence.name)}"
    return Panel(title, note, [*map(_dot, points)], _dot(chosen) if chosen else None, finding.gold)


def sequence_title(name: str) -> str:
    """What people are told of a sequence of chains."""
    first, _, rest = name.partition(" ")
    if first == "without":
        return translated("without {stage}", stage=rest)
    if rest == "alone":
        return translated("{stage} alone", stage=first)
    others = {
        MAIN_SEQUENCE: translated("from the defaults"),
        "from half-way to 1": translated("from half-way to 1"),
        "from three quarters of the way to 1": translated("from three quarters of the way to 1"),
    }
    return others.get(name, name)


def _dot(point: ThresholdPoint | ChainPoint) -> Dot:
    return point.kept, point.precision, point.bound


def _drawn(panel: Panel, y: Axis, target: float) -> dict[str, object]:
    """The curves as SVG points, the ticks of the axes, and the chosen point."""
    shares = Axis(0.0, 1.0, LEFT, WIDTH - RIGHT)
    x = Axis(0.0, max(1, panel.reviews), LEFT, WIDTH - RIGHT)
    upper = [f"{x.at(kept):.1f},{y.at(precision):.1f}" for kept, precision, _ in panel.dots]
    lower = [f"{x.at(kept):.1f},{y.at(bound):.1f}" for kept, _, bound in reversed(panel.dots)]
    return {
        "title": panel.title,
        "note": panel.note,
        "measured": " ".join(upper),
        "band": " ".join([*upper, *lower]),
        "target_y": y.at(target),
        "chosen": (x.at(panel.chosen[0]), y.at(panel.chosen[1])) if panel.chosen else None,
        "x_ticks": shares.ticks(5),
        "y_ticks": y.ticks(digits=2)[::-1],
    }
