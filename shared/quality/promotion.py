"""The rule of promotion: does a new model become champion, challenger or neither, and why. Better: `comparison`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from shared.quality.alias import Alias
from shared.quality.comparison import FEWEST_GOLD, Comparison, judge
from shared.quality.evaluation import score


class PromotionDecision(msgspec.Struct, frozen=True):
    """The alias that a model gets, if any, and why; `verdict` is None where there was nothing to compare."""

    place: Alias | None
    reason: str
    verdict: Comparison | None = None


def decide(
    truth: Sequence[str],
    challenger: Sequence[str],
    champion: Sequence[str] | None,
    *,
    automatic: bool,
    held: str,
    most_fall: float,
    comparisons: int,
) -> PromotionDecision:
    """Compare a model's answers on gold with the champion's; without `automatic` nothing is moved, only said.

    `champion` is None where nobody serves. `held` says why a person has to decide, or is empty. `comparisons` is how
    many models of one experiment try their luck. A first champion needs FEWEST_GOLD reviews, and to be right more often
    than the commonest category alone would be.
    """
    if not truth:
        return PromotionDecision(
            None, "no gold to measure on; check labels with `otzyv audit`, or promote it by hand"
        )
    if champion is None:
        return _first(truth, challenger, automatic=automatic and not held, held=held)
    verdict = judge(truth, champion, challenger, most_fall=most_fall, comparisons=comparisons)
    if not automatic or list(champion) == list(challenger):
        return PromotionDecision(None, verdict.reason, verdict)
    if held:
        return PromotionDecision("challenger", f"{held}; {verdict.reason}", verdict)
    return PromotionDecision("champion" if verdict.better else "challenger", verdict.reason, verdict)


def _first(truth: Sequence[str], answers: Sequence[str], *, automatic: bool, held: str) -> PromotionDecision:
    found = score(truth, answers)
    figure = f"weighted F1 {found.weighted_f1:.3f} on {len(truth):,} gold reviews"
    commonest = Counter(truth).most_common(1)[0][1] / len(truth)
    if held:
        doubt = held
    elif not automatic:
        doubt = "no automatic promotion was asked for, and nobody serves yet"
    elif len(truth) < FEWEST_GOLD:
        doubt = f"nobody serves yet, and {len(truth):,} gold reviews are too few to say"
    elif found.accuracy <= commonest:
        doubt = (
            f"nobody serves yet, but its accuracy of {found.accuracy:.3f} is no more than the commonest category alone "
            f"has, {commonest:.3f}"
        )
    else:
        return PromotionDecision("champion", f"nobody served before; {figure}")
    return PromotionDecision(None, f"{doubt}; {figure}")
