"""Whether a challenger is better than the champion, on gold: pure functions over lists of categories.

The rule, in this order. Gold has FEWEST_GOLD reviews or more; FEWEST_APART or more of them tell the two apart; the
lower bound of the paired bootstrap of weighted F1 (`shared.quality.bootstrap`) is above zero; and no category of gold
loses more F1 than the set amount. The bound is that of a two-sided interval: of equally good challengers, at most about
(1 - certainty) / 2 are called better, 2.5 % at 95 %. Where several compete, they share that risk (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from shared.quality.bootstrap import GoldAnswers, Interval, differences
from shared.quality.evaluation import Score, score

CERTAINTY: Final = 0.95

FEWEST_GOLD: Final = 50
"""Gold reviews below which nobody is better: the bootstrap takes a small sample's luck for certainty."""

FEWEST_APART: Final = 12
"""Reviews that tell two sets of answers apart, below which neither is better.

Four to none in favour of one looks certain to the bootstrap at 95 %, and happens by chance in one of 16 trials.
"""

NAMED: Final = 3
"""Fallen categories that a reason names; the others are counted."""

ROUNDING: Final = 1e-9

Word = Literal["better", "worse", "unclear"]


class Fall(msgspec.Struct, frozen=True):
    """A category whose F1 fell by more than the set amount, and how many gold reviews say so."""

    category: str
    gold: int
    before: float
    after: float

    def __str__(self) -> str:
        """As a part of a sentence."""
        reviews = "review" if self.gold == 1 else "reviews"
        return (
            f"{self.category} fell from {self.before:.2f} to {self.after:.2f} ({self.gold:,} gold {reviews})"
        )


class Comparison(msgspec.Struct, frozen=True):
    """Whether the challenger is better, by how much weighted F1, what fell, and the sentence for the history.

    `before` and `after` are the weighted F1 of champion and challenger on `gold` reviews. Without enough reviews
    `difference` is the estimate alone: low and high are -1 and 1.
    """

    better: bool
    gold: int
    before: float
    after: float
    difference: Interval
    fallen: tuple[Fall, ...]
    reason: str


def judge(
    truth: Sequence[str],
    champion_answers: GoldAnswers,
    challenger_answers: GoldAnswers,
    *,
    most_fall: float,
    comparisons: int = 1,
) -> Comparison:
    """Compare two lists of answers on the same gold, shape [reviews] each; None is no answer.

    `most_fall` is how much F1 any category may lose, 0..1; `comparisons` is how many challengers are judged with the
    wish that all verdicts hold together. Raises ValueError for lists of unequal length and numbers out of range.
    """
    if not 0.0 <= most_fall <= 1.0 or comparisons < 1:
        raise ValueError(
            "judge: expected a fall between 0 and 1 and one comparison or more, "
            f"found {most_fall} and {comparisons}"
        )
    before, after = score(truth, champion_answers), score(truth, challenger_answers)
    fallen = _fallen(before, after, most_fall)
    few = too_little(truth, [champion_answers], [challenger_answers])
    difference = Interval(after.weighted_f1 - before.weighted_f1, -1.0, 1.0)
    if len(truth) >= FEWEST_GOLD:
        level = shared_certainty(CERTAINTY, comparisons)
        difference = differences(truth, [champion_answers], [challenger_answers], certainty=level).weighted
    above = few is None and difference.low > 0
    figures = _figures(before, after, difference, comparisons)
    return Comparison(
        better=above and not fallen,
        gold=len(truth),
        before=before.weighted_f1,
        after=after.weighted_f1,
        difference=difference,
        fallen=fallen,
        reason=_reason(few or figures, fallen, most_fall, above=above),
    )


def shared_certainty(certainty: float, comparisons: int) -> float:
    """The certainty of each of several comparisons that together hold with the asked one (Bonferroni)."""
    return 1.0 - (1.0 - certainty) / comparisons


def too_little(
    truth: Sequence[str], before: Sequence[GoldAnswers], after: Sequence[GoldAnswers]
) -> str | None:
    """Why gold cannot tell two sets of answers apart; None where it may.

    Each set is one list of answers or several, such as one for each seed. A review tells them apart if the share of
    lists that are right about it is not the same in both.
    """
    if len(truth) < FEWEST_GOLD:
        return f"{len(truth):,} gold reviews, fewer than {FEWEST_GOLD}"
    if [list(run) for run in before] == [list(run) for run in after]:
        return "all answers are the same"
    apart = sum(
        sum(run[at] == name for run in before) * len(after)
        != sum(run[at] == name for run in after) * len(before)
        for at, name in enumerate(truth)
    )
    if apart < FEWEST_APART:
        return (
            f"only {apart:,} of {len(truth):,} gold reviews are answered rightly by one and wrongly by the other, "
            f"fewer than {FEWEST_APART}"
        )
    return None


def word(difference: Interval) -> Word:
    """What an interval of a difference says, where gold is enough."""
    if difference.low > 0:
        return "better"
    return "worse" if difference.high < 0 else "unclear"


def signed(value: float) -> str:
    """0.018 as `+0.018`; what would round to nothing keeps a digit, so that a bound above zero looks like one."""
    return f"{value:+.1g}" if 0 < abs(value) < 0.0005 else f"{value:+.3f}"


def _fallen(before: Score, after: Score, most: float) -> tuple[Fall, ...]:
    """What fell too far, the largest fall first."""
    later = {row.category: row.f1 for row in after.categories}
    falls = [
        Fall(row.category, row.gold, row.f1, later[row.category]) for row in before.categories if row.gold
    ]
    far = [one for one in falls if one.before - one.after > most + ROUNDING]
    return tuple(sorted(far, key=lambda one: (one.after - one.before, one.category)))


def _figures(before: Score, after: Score, difference: Interval, comparisons: int) -> str:
    among = f" over {comparisons:,} comparisons" if comparisons > 1 else ""
    return (
        f"weighted F1 {before.weighted_f1:.3f} → {after.weighted_f1:.3f}, {signed(difference.estimate)} "
        f"({100 * CERTAINTY:g} %{among}: {signed(difference.low)} to {signed(difference.high)}) "
        f"on {before.total:,} gold reviews"
    )


def _reason(finding: str, fallen: tuple[Fall, ...], most: float, *, above: bool) -> str:
    if above and not fallen:
        return f"{finding}; no category fell by more than {most:.2f}"
    if not fallen:
        return f"not better: {finding}"
    more = f" and {len(fallen) - NAMED:,} more categories fell" if len(fallen) > NAMED else ""
    falls = f"{', '.join(map(str, fallen[:NAMED]))}{more}, more than {most:.2f}"
    return f"not better: {falls}; {finding}" if above else f"not better: {finding}; {falls}"
