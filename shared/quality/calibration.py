"""From raw scores to confidences that mean something, and to thresholds that are certified on a gold set.

Two steps, both pure. Isotonic regression turns a stage's raw score into the share of right answers at that
score; out of fold, so that no review judges itself. Then the lowest threshold is taken from a fixed grid
whose precision is at least the target with the asked certainty: the exact binomial lower bound of Clopper and
Pearson (Biometrika 26, 1934), each of the grid's thresholds tested at its share of the risk (Bonferroni), as
in "Learn then Test" (Angelopoulos et al., arXiv 2110.01052).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from shared.cascade.rule import Curve
from shared.compute.arrays import Float64s
from shared.quality import binomial

Scores = Sequence[float] | Float64s
Correctness = Sequence[bool] | NDArray[np.bool_]

GRID: tuple[float, ...] = tuple(round(0.5 + step / 100, 2) for step in range(50))
"""The thresholds that are tried: 0.50, 0.51, ... 0.99. Fixed before any data is seen, or the bound is void."""

CERTAINTY = 0.95
"""How sure to be that the precision of what is kept is at least the target."""

FOLDS = 5
MOST_GROWTH = 1e6


def fit(raw: Scores, right: Correctness) -> Curve:
    """The isotonic curve through raw scores and whether the answer was right, least squares.

    Raises ValueError without any answers.
    """
    if len(raw) == 0:
        raise ValueError("calibration: expected at least one answer of the stage on the gold set, found none")
    model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    model.fit(np.asarray(raw, dtype=float), np.asarray(right, dtype=float))
    return Curve(tuple(map(float, model.X_thresholds_)), tuple(map(float, model.y_thresholds_)))


def out_of_fold(raw: Scores, right: Correctness) -> Float64s:
    """Each answer's confidence by a curve that was fitted without it, shape [n].

    With fewer answers than two folds need, every confidence is the overall share of right answers.
    """
    scores, truth = np.asarray(raw, dtype=float), np.asarray(right, dtype=bool)
    parts = np.array_split(np.random.default_rng(0).permutation(len(scores)), FOLDS)
    if len(scores) < 2 * FOLDS:
        return np.full(len(scores), truth.mean() if len(scores) else 0.0)
    confidences = np.empty(len(scores))
    for part in parts:
        rest = np.setdiff1d(np.arange(len(scores)), part)
        confidences[part] = fit(scores[rest], truth[rest])(scores[part])
    return confidences


class Certificate(msgspec.Struct, frozen=True):
    """The thresholds tried for one stage, and the lowest that is certified, if any.

    `more_checks` estimates how many more checked answers of the stage would certify the most promising
    threshold if precision stays as it is; None when one is certified, or when precision is below the target.
    """

    target: float
    certainty: float
    answers: int
    points: tuple[ThresholdPoint, ...]
    chosen: ThresholdPoint | None
    more_checks: int | None


class KeptAnswers(msgspec.Struct, frozen=True):
    """How many answers are kept of the gold set, and how many of these are right."""

    kept: int
    right: int

    @property
    def precision(self) -> float:
        """Share of the kept answers that are right, 0..1."""
        return self.right / self.kept if self.kept else 0.0


class ThresholdPoint(KeptAnswers, frozen=True):
    """What a threshold keeps, and how precise that is at least."""

    threshold: float
    bound: float


def certify(
    confidences: Scores,
    right: Correctness,
    target: float,
    *,
    certainty: float = CERTAINTY,
    tests: int = 1,
) -> Certificate:
    """Test every threshold of the grid, and choose the lowest whose lower bound reaches the target.

    `confidences` and `right` have shape [n] and describe a stage's answers on gold. `tests` is how many certificates
    share the risk, such as one for each stage. Raises ValueError for a target outside 0..1.
    """
    checked_target(target)
    scores, truth = np.asarray(confidences, dtype=float), np.asarray(right, dtype=bool)
    risk = (1.0 - certainty) / (len(GRID) * tests)
    points = tuple(_point(threshold, truth[scores >= threshold], risk) for threshold in GRID)
    chosen = next((point for point in points if point.kept and point.bound >= target), None)
    hopeful = () if chosen else points
    needed = [more_answers(point.right, point.kept, len(truth), target, risk) for point in hopeful]
    more = min((count for count in needed if count is not None), default=None)
    return Certificate(target, certainty, len(truth), points, chosen, more)


def checked_target(target: float) -> None:
    """Raises ValueError for a precision that nothing, or everything, would reach."""
    if not 0.0 < target < 1.0:
        raise ValueError(f"target precision: expected a number between 0 and 1, found {target}")


def _point(threshold: float, truth: NDArray[np.bool_], risk: float) -> ThresholdPoint:
    right = int(truth.sum())
    return ThresholdPoint(len(truth), right, float(threshold), binomial.at_least(right, len(truth), risk))


def more_answers(right: int, kept: int, answers: int, target: float, risk: float) -> int | None:
    """How many answers beyond these `answers` would lift the lower bound to the target, with precision as it is.

    None where no number would, or only more than a millionfold.
    """
    if kept == 0 or right / kept <= target:
        return None
    factor = 1.0
    while factor < MOST_GROWTH:
        if binomial.at_least(int(right * factor), int(kept * factor), risk) >= target:
            return round((factor - 1.0) * answers)
        factor = max(factor + 0.1, factor * 1.02)
    return None
