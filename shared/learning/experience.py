"""How often changes of each sort are wrong on reviews that did not suggest them: what a search begins with.

What looks flawless on the reviews that it was found in rarely is: a word that names no product mostly holds, one that
is to name a rare category mostly does not. One half of the reviews suggests, the other tells, and the other way round:
an empirical Bayes estimate (Robbins, Proc. Third Berkeley Symposium, 1956).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.learning.search import Search, Sort, sort
from shared.learning.trials import Trial

TOO_WRONG: Final = 0.1
"""Changes with a larger share of wrong labels where they are found suggest themselves to nobody."""
STEADY: Final = 10.0
"""How many reviews the experience with all sorts counts for against that with one."""
MOST_TRIALS: Final = 8_000
"""That many are enough to know."""


def expected_errors(
    search: Search, trials: Sequence[Trial], chosen: NDArray[np.bool_], halves: NDArray[np.bool_]
) -> dict[Sort, float]:
    """The share of wrong labels, 0..1, among those that a promising change of each sort adds.

    `chosen` are the reviews to learn from, `halves` divides them.
    """
    every = len(trials) // MOST_TRIALS + 1
    asked = trials[::every]
    told: dict[Sort, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for half in (halves, ~halves):
        gains = search.gains(asked, (chosen & half).astype(float))
        added = gains.right + gains.wrong
        promising = [
            asked[place]
            for place in np.nonzero((gains.right >= 1) & (gains.wrong <= TOO_WRONG * added))[0].tolist()
        ]
        there = search.gains(promising, (chosen & ~half).astype(float))
        for trial, right, wrong in zip(promising, there.right.tolist(), there.wrong.tolist(), strict=True):
            told[sort(trial)][0] += wrong
            told[sort(trial)][1] += right + wrong
    all_wrong, all_added = (sum(one[which] for one in told.values()) for which in (0, 1))
    overall = (all_wrong + 1) / (all_added + 4)
    return {
        one: (told[one][0] + STEADY * overall) / (told[one][1] + STEADY)
        for one in sorted({sort(trial) for trial in trials})
    }
