"""Which verdicts of a stage are kept: from which confidence, for which category, after which calibration.

How a rule is found on a gold set is `shared.quality.calibration`; where it is stored, `shared.store.thresholds`. No
scikit-learn here: every CPU worker imports this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.cascade.stage import Verdict
from shared.catalogue import STAGES


class Curve(msgspec.Struct, frozen=True):
    """A non-decreasing map from raw scores to confidences, linear between its knots and flat outside."""

    scores: tuple[float, ...]
    confidences: tuple[float, ...]

    def __call__(self, raw: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Confidences in 0..1 for raw scores, shape [n]."""
        confidences: NDArray[np.float64] = np.interp(
            np.asarray(raw, dtype=float), self.scores, self.confidences
        )
        return confidences


class StageRule(msgspec.Struct, frozen=True):
    """What one stage's verdicts are worth, and which of them are kept.

    `value` is the confidence from which verdicts are kept, 0..1; None keeps nothing, which is what a stage gets
    that a gold set could not certify. `categories` overrides it by slug. `curve` turns the stage's score into a
    confidence. `version` is the stored version the rule came with; None where it came from settings or defaults.

    With `of_score`, `value` is compared with what the stage itself said, and the curve is for people to read: that is
    what certifies a chain, since a curve that was fitted on the same gold would void the certificate. Thresholds of
    `categories` are confidences in either case.
    """

    value: float | None
    categories: Mapping[str, float | None] = {}
    curve: Curve | None = None
    version: int | None = None
    of_score: bool = False

    @property
    def least_confidence(self) -> float | None:
        """The confidence of the least sure verdict that `value` keeps, 0..1; None where it keeps nothing."""
        if self.value is None or self.curve is None or not self.of_score:
            return self.value
        return float(self.curve([self.value])[0])

    @property
    def keeps_some(self) -> bool:
        """Whether there are verdicts that it keeps."""
        return self.value is not None or any(value is not None for value in self.categories.values())

    def weigh(self, verdict: Verdict | None) -> Verdict | None:
        """The verdict with the confidence that holds."""
        return self.weigh_all([verdict])[0]

    def weigh_all(self, verdicts: Sequence[Verdict | None]) -> Sequence[Verdict | None]:
        """The same of many, in order."""
        if self.curve is None:
            return verdicts
        scores = [0.0 if verdict is None else verdict.raw for verdict in verdicts]
        return [
            None if verdict is None else Verdict(verdict.category, confidence, verdict.evidence, score)
            for verdict, score, confidence in zip(verdicts, scores, self.curve(scores).tolist(), strict=True)
        ]

    def keeps(self, verdict: Verdict | None) -> bool:
        """Whether a weighed verdict becomes the label; an abstention never does."""
        if verdict is None:
            return False
        if verdict.category in self.categories:
            least, sure = self.categories[verdict.category], verdict.confidence
        else:
            least, sure = self.value, verdict.raw if self.of_score else verdict.confidence
        return least is not None and sure >= least


def is_certified_chain(certified: Sequence[str], order: Sequence[str]) -> bool:
    """Whether stages that judge now, in order, are the chain that was certified.

    A stage that may rest and is not in it keeps nothing, since it has no default: it changes nothing that is released.
    """
    return tuple(certified) == tuple(
        name for name in order if name in certified or not (name in STAGES and STAGES[name].may_rest)
    )
