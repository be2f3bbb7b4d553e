"""How often a challenger that is no better is called better: counted in many trials."""

from __future__ import annotations

import random

from shared.quality.comparison import judge

NAMES = ("appliances", "clothes", "shoes", "none")


def wrong(name: str) -> str:
    return NAMES[(NAMES.index(name) + 1) % 4]


def test_of_equally_good_challengers_few_are_called_better():
    """Both are right 80 times in 100, independently: at 95 %, 2.5 in 100 may be called better by chance."""
    rng = random.Random(5)
    trials = 600
    called = 0
    for _ in range(trials):
        gold = rng.choices(NAMES, weights=(4, 3, 2, 1), k=200)
        one, other = ([n if rng.random() < 0.8 else wrong(n) for n in gold] for _ in range(2))
        called += judge(gold, one, other, most_fall=1.0).better
    assert called / trials <= 0.025 + 2.5 * (0.025 * 0.975 / trials) ** 0.5


def test_of_equally_good_challengers_that_seldom_differ_few_are_called_better():
    rng = random.Random(6)
    trials = 600
    called = 0
    for _ in range(trials):
        gold = rng.choices(NAMES, k=200)
        one, other = list(gold), list(gold)
        for at in rng.sample(range(200), rng.choice((4, 6, 9, 12, 15))):
            rng.choice((one, other))[at] = wrong(gold[at])
        called += judge(gold, one, other, most_fall=1.0).better
    assert called / trials <= 0.025
