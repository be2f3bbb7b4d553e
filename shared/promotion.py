"""What becomes of a newly trained model: champion, challenger or neither, and the sentence that says why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from shared.evaluation import score
from shared.verdict import Verdict, judge

Place = Literal["champion", "challenger"]


class Decision(msgspec.Struct, frozen=True):
    """The alias that a model gets, if any, and why; `verdict` is None where there was nothing to compare."""

    place: Place | None
    reason: str
    verdict: Verdict | None = None


def decide(
    truth: Sequence[str],
    challenger: Sequence[str],
    champion: Sequence[str] | None,
    *,
    automatic: bool,
    most_fall: float,
    comparisons: int,
) -> Decision:
    """Compare a model's answers on gold with the champion's; without `automatic` nothing is moved, only said.

    `champion` is None where nobody serves. `comparisons` is how many models of one experiment try their luck.
    """
    if not truth:
        return Decision(None, "no gold to measure on; check labels with `otzyv audit`, or promote it by hand")
    if champion is None:
        figure = score(truth, challenger).weighted_f1
        reason = f"nobody served before; weighted F1 {figure:.3f} on {len(truth):,} gold reviews"
        return Decision("champion" if automatic else None, reason)
    verdict = judge(truth, champion, challenger, most_fall=most_fall, comparisons=comparisons)
    if not automatic:
        return Decision(None, verdict.reason, verdict)
    return Decision("champion" if verdict.better else "challenger", verdict.reason, verdict)
