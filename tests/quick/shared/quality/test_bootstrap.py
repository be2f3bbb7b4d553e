"""Bootstrap intervals of F1: agreement with plain Python, with `score`, and how often they hold."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from shared.quality import bootstrap
from shared.quality.bootstrap import Figures, differences, draws, intervals, resample
from shared.quality.evaluation import score

NAMES = ("appliances", "clothes", "shoes", "none")
LAST = "\uffff"
"""Stands for None where patterns are sorted: no answer comes last."""


def some(n: int, right: float, seed: int, *, silent: float = 0.05) -> tuple[list[str], list[str | None]]:
    """Gold of four categories, one of them rare, and answers of which about a share is right."""
    rng = random.Random(seed)
    truth = rng.choices(NAMES, weights=(5, 8, 4, 0.4), k=n)
    answers = [name if rng.random() < right else rng.choice(NAMES) for name in truth]
    return truth, [None if rng.random() < silent else answer for answer in answers]


def again(truth: list[str], n: int, right: float, seed: int) -> list[str | None]:
    """Other answers to the same gold."""
    rng = random.Random(seed)
    return [name if rng.random() < right else rng.choice(NAMES) for name in truth[:n]]


def slowly(truth: list[str], answers: list[str | None], samples: int, seed: int) -> list[float]:
    """Weighted F1 of drawn reviews, one at a time."""
    rng = random.Random(seed)
    found = []
    for _ in range(samples):
        drawn = rng.choices(range(len(truth)), k=len(truth))
        found.append(score([truth[at] for at in drawn], [answers[at] for at in drawn]).weighted_f1)
    return found


def test_estimates_are_the_figures_of_score():
    truth, answers = some(200, 0.7, 1)
    found, expected = intervals(truth, [answers], samples=50), score(truth, answers)
    assert found.weighted.estimate == expected.weighted_f1
    assert found.macro.estimate == expected.macro_f1


def test_every_drawn_sample_is_scored_as_score_would():
    truth, answers = some(60, 0.6, 2, silent=0.2)
    other = again(truth, 60, 0.8, 3)
    rows = Counter(zip(truth, answers, other, strict=True))
    patterns = sorted(rows, key=lambda row: [name or LAST for name in row])
    counts = np.array([rows[row] for row in patterns])
    drawn = np.random.default_rng(7).multinomial(60, counts / 60, size=80)
    found = resample(truth, [answers, other], samples=80, seed=7)
    assert found.shape == (80, 2, 2)
    missed = 0
    for weights, figures in zip(drawn, found, strict=True):
        reviews = [row for row, n in zip(patterns, weights, strict=True) for _ in range(n)]
        missed += len({truth for truth, *_ in reviews}) < len(NAMES)
        for at in (0, 1):
            expected = score([row[0] for row in reviews], [row[1 + at] for row in reviews])
            assert figures[at] == pytest.approx((expected.weighted_f1, expected.macro_f1))
    assert missed  # a category that no drawn review has was among what was compared


def test_a_category_that_no_drawn_review_has_is_left_out_of_macro_f1():
    truth, answers = ["shoes"] * 30 + ["none"], ["shoes"] * 30 + ["shoes"]
    found = resample(truth, [answers], samples=200)[:, 0, 1]
    assert found.max() == 1.0  # the only `none` was not drawn: one category, all right
    assert found.min() < 0.5  # it was: two categories, one of them never found


def test_intervals_are_those_of_a_slow_bootstrap():
    truth, answers = some(150, 0.7, 4)
    low, high = np.quantile(slowly(truth, answers, 3000, 5), [0.025, 0.975])
    found = intervals(truth, [answers], samples=6000).weighted
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.006)


def test_a_difference_is_taken_on_the_same_reviews():
    truth, answers = some(400, 0.7, 6)
    better = list(answers)
    for at in [at for at, name in enumerate(truth) if answers[at] != name][:30]:
        better[at] = truth[at]
    apart = intervals(truth, [answers]).weighted
    found = differences(truth, [answers], [better]).weighted
    assert found.estimate == pytest.approx(
        score(truth, better).weighted_f1 - score(truth, answers).weighted_f1
    )
    assert found.low > 0
    assert found.high - found.low < 0.7 * (apart.high - apart.low)


def test_a_difference_turned_round_has_the_other_sign():
    truth, answers = some(300, 0.7, 8)
    other = again(truth, 300, 0.75, 9)
    there, back = differences(truth, [answers], [other]), differences(truth, [other], [answers])
    assert there.weighted.estimate == pytest.approx(-back.weighted.estimate)
    assert (there.weighted.low, there.macro.high) == pytest.approx(
        (-back.weighted.high, -back.macro.low), abs=0.01
    )


def test_the_same_answers_differ_by_nothing():
    truth, answers = some(120, 0.7, 10)
    found = differences(truth, [answers], [list(answers)])
    for one in (found.weighted, found.macro):
        assert (one.estimate, one.low, one.high) == (0, 0, 0)


def test_several_seeds_count_by_their_mean():
    truth, first = some(200, 0.6, 11)
    runs = [first, again(truth, 200, 0.7, 12), again(truth, 200, 0.8, 13)]
    scores = [score(truth, run) for run in runs]
    found = intervals(truth, runs)
    assert found.weighted.estimate == pytest.approx(sum(one.weighted_f1 for one in scores) / 3)
    assert found.macro.estimate == pytest.approx(sum(one.macro_f1 for one in scores) / 3)
    assert intervals(truth, [first] * 3).weighted.low == pytest.approx(
        intervals(truth, [first]).weighted.low, abs=0.01
    )


def test_sets_of_unequal_numbers_of_seeds_can_be_compared():
    truth, first = some(200, 0.6, 14)
    runs = [again(truth, 200, 0.9, seed) for seed in range(3)]
    found = differences(truth, [first], runs).weighted
    assert found.low > 0
    assert found.estimate == pytest.approx(
        intervals(truth, runs).weighted.estimate - intervals(truth, [first]).weighted.estimate
    )


def test_the_same_seed_gives_the_same_interval_whatever_the_order_of_reviews_and_the_size_of_chunks(
    monkeypatch,
):
    truth, answers = some(150, 0.7, 15)
    whole = intervals(truth, [answers], seed=3)
    assert whole != intervals(truth, [answers], seed=4)
    order = random.Random(1).sample(range(150), 150)
    shuffled = intervals([truth[at] for at in order], [[answers[at] for at in order]], seed=3)
    monkeypatch.setattr(bootstrap, "CELLS", 100)
    chunked = intervals(truth, [answers], seed=3)
    for other in (shuffled, chunked):
        assert flat(other) == pytest.approx(flat(whole))


def flat(figures: Figures) -> list[float]:
    return [value for one in (figures.weighted, figures.macro) for value in (one.estimate, one.low, one.high)]


def test_more_certainty_needs_a_wider_interval_and_more_draws():
    truth, answers = some(200, 0.7, 16)
    usual, sure = (intervals(truth, [answers], certainty=level).weighted for level in (0.95, 0.995))
    assert sure.low < usual.low < usual.estimate < usual.high < sure.high
    assert (draws(0.9), draws(0.95), draws(0.995)) == (2000, 2000, 20000)


def test_a_hundred_thousand_reviews_take_seconds():
    truth, answers = some(100_000, 0.8, 18)
    found = differences(truth, [answers], [again(truth, 100_000, 0.9, 19)])
    assert 0 < found.weighted.low < found.weighted.high


def test_no_reviews_and_no_answers_are_refused():
    with pytest.raises(ValueError, match="expected gold reviews and answers, found 0 reviews and 1 lists"):
        intervals([], [[]])
    with pytest.raises(ValueError, match="found 1 reviews and 0 lists"):
        intervals(["shoes"], [])


def test_answers_that_are_not_one_for_each_review_are_refused():
    with pytest.raises(ValueError, match="expected an answer or None for each of 2 gold reviews, found 1"):
        differences(["shoes", "none"], [["shoes", None]], [["shoes"]])


@pytest.mark.parametrize("certainty", [0.0, 1.0, 95.0])
def test_a_certainty_that_is_no_share_is_refused(certainty):
    with pytest.raises(ValueError, match="certainty: expected a number between 0 and 1"):
        intervals(["shoes"], [["shoes"]], certainty=certainty)
