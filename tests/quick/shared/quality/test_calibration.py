"""Confidences that mean something, and thresholds that hold on reviews nobody has seen."""

from __future__ import annotations

import numpy as np
import pytest

from shared.quality.calibration import GRID, certify, fit, out_of_fold


def answers(count: int, seed: int) -> tuple[list[float], list[bool]]:
    """Raw scores whose true precision is their square root: informative, but not calibrated."""
    random = np.random.default_rng(seed)
    raw = random.uniform(0, 1, count)
    return raw.tolist(), (random.uniform(0, 1, count) < np.sqrt(raw)).tolist()


def test_a_curve_never_falls_and_stays_between_zero_and_one() -> None:
    raw, right = answers(500, seed=1)
    confidences = fit(raw, right)(np.linspace(-1, 2, 400).tolist())
    assert (np.diff(confidences) >= 0).all()
    assert confidences.min() >= 0.0
    assert confidences.max() <= 1.0


def test_calibrated_confidence_is_the_share_of_right_answers() -> None:
    raw, right = answers(20_000, seed=2)
    confidences = out_of_fold(raw, right)
    for low in np.arange(0.3, 1.0, 0.1):
        inside = (confidences >= low) & (confidences < low + 0.1)
        assert np.mean(np.asarray(right)[inside]) == pytest.approx(confidences[inside].mean(), abs=0.04)


def test_no_review_judges_itself() -> None:
    raw, right = [0.1] * 49 + [0.9], [False] * 49 + [True]
    assert out_of_fold(raw, right)[-1] == 0.0


def test_a_certified_threshold_holds_on_new_reviews_as_often_as_promised() -> None:
    broken = 0
    for seed in range(60):
        raw, right = answers(1_500, seed)
        certificate = certify(raw, right, 0.93)
        if certificate.chosen is None:
            continue
        new_raw, new_right = answers(20_000, seed + 1_000)
        kept = np.asarray(new_raw) >= certificate.chosen.threshold
        broken += np.asarray(new_right)[kept].mean() < 0.93
    assert broken <= 3


def test_the_lowest_certified_threshold_is_chosen() -> None:
    raw, right = answers(5_000, seed=3)
    certificate = certify(raw, right, 0.9)
    assert certificate.chosen is not None
    passing = [point.threshold for point in certificate.points if point.bound >= 0.9]
    assert certificate.chosen.threshold == min(passing)
    assert [point.threshold for point in certificate.points] == list(GRID)


def test_a_gold_set_that_is_too_small_says_how_many_more_checks_are_needed() -> None:
    certificate = certify([0.99] * 40, [True] * 40, 0.95)
    assert certificate.chosen is None
    assert certificate.more_checks is not None
    enough = 40 + certificate.more_checks
    assert certify([0.99] * (enough + 4), [True] * (enough + 4), 0.95).chosen is not None


def test_a_stage_that_is_below_the_target_cannot_be_helped_by_more_checks() -> None:
    certificate = certify([0.9] * 400, [True, False] * 200, 0.95)
    assert certificate.chosen is None
    assert certificate.more_checks is None


def test_a_target_that_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a number between 0 and 1, found 95"):
        certify([0.9], [True], 95)


def test_a_stage_without_answers_cannot_be_calibrated() -> None:
    with pytest.raises(ValueError, match="found none"):
        fit([], [])
    assert certify([], [], 0.9).chosen is None
