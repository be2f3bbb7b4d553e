"""How often the intervals hold: counted in many trials."""

from __future__ import annotations

import numpy as np

from shared.quality.bootstrap import intervals
from shared.quality.evaluation import score

NAMES = ("appliances", "clothes", "shoes", "none")


def test_intervals_hold_about_as_often_as_they_say():
    """The truth is that of 200,000 reviews, of which each trial sees 250."""
    rng = np.random.default_rng(17)
    confused = np.array(
        [[0.8, 0.1, 0.1, 0], [0.1, 0.85, 0, 0.05], [0.05, 0.15, 0.8, 0], [0.3, 0.2, 0.2, 0.3]]
    )

    def reviews(n: int) -> tuple[list[str], list[str | None]]:
        truth = rng.choice(4, n, p=[0.3, 0.4, 0.2, 0.1])
        answers = (rng.random(n)[:, None] > confused.cumsum(axis=1)[truth]).sum(axis=1).clip(max=3)
        return [NAMES[at] for at in truth], [NAMES[at] for at in answers]

    everywhere = score(*reviews(200_000)).weighted_f1
    trials = 400
    held = 0
    for _ in range(trials):
        truth, answers = reviews(250)
        found = intervals(truth, [answers], samples=1000).weighted
        held += found.low <= everywhere <= found.high
    assert 0.91 <= held / trials <= 0.985
