"""Figures out of log-probabilities: no digit depends on the order in which a model shows its tokens."""

from __future__ import annotations

import random

from shared.stages.llm.choice import Choice, by_option, confidence, mass


def test_the_order_of_tokens_changes_no_digit() -> None:
    rng = random.Random(0)
    shown = [(rng.choice("ABC"), -rng.uniform(4, 9)) for _ in range(60)]
    found = by_option(shown, "ABC")
    for _ in range(50):
        rng.shuffle(shown)
        assert by_option(shown, "ABC") == found


def test_the_order_of_options_changes_no_digit() -> None:
    rng = random.Random(0)
    shown = [(option, -rng.expovariate(0.2)) for option in "ABCDEFGHI"]
    choice = Choice("A", dict(shown))
    for _ in range(50):
        rng.shuffle(shown)
        again = Choice("A", dict(shown))
        assert (confidence(again), mass(again)) == (confidence(choice), mass(choice))
