"""Bounds of a share against published tables and against SciPy's own test."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from shared.quality.binomial import at_least, at_most


@pytest.mark.parametrize(
    ("accuracy", "checks"),
    [(0.90, (29, 46, 61, 76)), (0.95, (59, 93, 124, 153)), (0.99, (299, 473, 628, 773))],
)
def test_the_bound_agrees_with_the_published_sizes_of_audits(
    accuracy: float, checks: tuple[int, ...]
) -> None:
    for errors, size in enumerate(checks):
        assert at_least(size - errors, size, 0.05) >= accuracy
        assert at_least(size - 1 - errors, size - 1, 0.05) < accuracy


def test_nothing_kept_or_nothing_right_has_a_bound_of_zero() -> None:
    assert at_least(0, 0, 0.05) == 0.0
    assert at_least(0, 10, 0.05) == 0.0


def test_nothing_seen_has_a_bound_of_one() -> None:
    assert at_most(0, 0, 0.05) == 1.0
    assert at_most(10, 10, 0.05) == 1.0


@pytest.mark.parametrize(("count", "total"), [(0, 7), (1, 7), (6, 7), (7, 7), (500, 1000), (3, 100_000)])
def test_both_bounds_are_those_of_the_exact_test(count: int, total: int) -> None:
    exact = binomtest(count, total).proportion_ci(0.95, method="exact")
    assert at_least(count, total, 0.025) == pytest.approx(exact.low, rel=1e-9)
    assert at_most(count, total, 0.025) == pytest.approx(exact.high, rel=1e-9)
