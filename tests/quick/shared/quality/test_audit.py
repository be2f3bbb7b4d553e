"""Samples for people to check: how many of each stratum, and what their answers say about all labels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from shared.quality.audit import ANY, Checked, allocate, estimate, interval, strata

SIZES = {
    ("keywords", "shoes", "accepted"): 900,
    ("llm", "shoes", "accepted"): 90,
    ("llm", "toys", "needs_review"): 10,
}


def test_every_stratum_is_drawn_from_and_the_rest_goes_by_size():
    assert list(allocate(SIZES, 100).values()) == [88, 10, 2]
    assert list(allocate(SIZES, 3).values()) == [1, 1, 1]


@pytest.mark.parametrize("wanted", [3, 10, 99, 100, 999, 1000, 5000])
def test_no_stratum_gives_more_than_it_has_and_the_number_is_exact(wanted):
    draws = allocate(SIZES, wanted)
    assert sum(draws.values()) == min(wanted, 1000)
    assert all(1 <= draws[key] <= size for key, size in SIZES.items())


def test_categories_are_merged_where_there_are_more_strata_than_draws():
    many = {("llm", str(number), "accepted"): 5 for number in range(50)}
    assert strata(many, 100) == many
    assert strata(many, 20) == {("llm", ANY, "accepted"): 250}
    with pytest.raises(ValueError, match=r"expected at least 3 labels to draw, .* found 2"):
        strata({(stage, "a", "accepted"): 1 for stage in "xyz"}, 2)


def test_with_equal_probabilities_the_interval_is_the_exact_binomial_one():
    checked = [Checked("llm", "a", "accepted", at < 93, 0.1) for at in range(100)]
    found = estimate(checked)
    exact = binomtest(93, 100).proportion_ci(method="exact")
    assert (found.share, found.checked, found.right) == (0.93, 100, 93)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_rarely_drawn_labels_stand_for_many():
    checked = [Checked("a", "x", "accepted", True, 1.0)] * 50 + [Checked("b", "x", "accepted", False, 0.01)]
    assert estimate(checked).share == pytest.approx(50 / 150)


def test_nothing_checked_is_no_estimate_and_all_right_is_not_certainty():
    assert estimate([]) is None
    low, high = interval(1.0, 20)
    assert (round(low, 3), high) == (0.832, 1.0)
    assert interval(0.0, 20)[0] == 0.0


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    shares = {"keywords": (9000, 0.98), "similarity": (700, 0.9), "llm": (300, 0.8)}
    truth = sum(size * share for size, share in shares.values()) / 10_000
    sizes = {(stage, "a", "accepted"): size for stage, (size, _) in shares.items()}
    draws, held = allocate(sizes, 200), 0
    for _ in range(400):
        checked = [
            Checked(
                stage,
                "a",
                "accepted",
                bool(rng.random() < shares[stage][1]),
                count / sizes[stage, "a", "accepted"],
            )
            for (stage, _, _), count in draws.items()
            for _ in range(count)
        ]
        found = estimate(checked)
        held += found.low <= truth <= found.high
    assert held / 400 >= 0.93
