"""Quality without labels: stability indexes against published values, and when a day is alarming."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from shared.quality.drift import DailyCounts, Limits, Reference, alarms, of_day, stability_index

DAY = date(2026, 11, 24)
LIMITS = Limits(psi=0.25, accuracy_drop=0.05, disagreement=0.2)
REFERENCE = Reference(
    1_000, 0.85, {"shoes": 0.5, "toys": 0.3, "nothing": 0.2}, (0, 0, 0, 0, 0, 0, 0, 0.2, 0.5, 0.3)
)
SURE = (0, 0, 0, 0, 0, 0, 0, 200, 500, 300)
UNSURE = (0, 0, 0, 0, 500, 500, 0, 0, 0, 0)


def day(
    shares: tuple[float, float, float] = (0.5, 0.3, 0.2),
    confidences: tuple[int, ...] = SURE,
    confidence: float = 0.85,
    different: float = 0.0,
    n: int = 1_000,
) -> list[DailyCounts]:
    return [
        DailyCounts(
            1,
            DAY,
            slug,
            int(n * share),
            confidence * int(n * share),
            tuple(int(count * share * n / 1_000) for count in confidences),
            int(n * share),
            int(n * share * different),
        )
        for slug, share in zip(REFERENCE.categories, shares, strict=True)
    ]


def kinds(counts: list[DailyCounts]) -> set[str]:
    return {alarm.kind for alarm in alarms(of_day(counts, REFERENCE), REFERENCE, LIMITS)}


def test_the_index_is_the_sum_over_bins_of_difference_times_logarithm_of_the_ratio() -> None:
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    wanted = float(((q - p) * np.log(q / p)).sum())
    assert stability_index(list(p), [200_000, 300_000, 500_000]) == pytest.approx(wanted, rel=1e-3)


def test_the_index_is_zero_for_the_same_shares_and_finite_for_empty_bins() -> None:
    assert stability_index([0.5, 0.3, 0.2], [500, 300, 200]) == pytest.approx(0.0, abs=1e-6)
    assert 1 < stability_index([1.0, 0.0], [0, 1_000]) < 100
    assert np.isfinite(stability_index([0.5, 0.5], [0, 0]))


def test_chance_alone_raises_no_alarm_in_a_thousand_days() -> None:
    rng = np.random.default_rng(1)
    for _ in range(1_000):
        found = rng.multinomial(500, list(REFERENCE.categories.values()))
        assert stability_index(list(REFERENCE.categories.values()), found.tolist()) < LIMITS.psi


def test_a_day_like_the_reference_is_quiet_and_has_the_right_figures() -> None:
    quality = of_day(day(different=0.1), REFERENCE)
    whole = quality[0]
    assert (whole.category, whole.predictions, whole.labelled, whole.disagreements) == (
        None,
        1_000,
        1_000,
        100,
    )
    assert whole.expected_accuracy == pytest.approx(0.85)
    assert whole.psi_categories == pytest.approx(0.0, abs=0.01)
    assert [one.category for one in quality[1:]] == list(REFERENCE.categories)
    assert quality[1].psi_categories is None
    assert kinds(day(different=0.1)) == set()


def test_each_kind_of_change_raises_its_alarm() -> None:
    assert kinds(day(shares=(0.1, 0.1, 0.8))) == {"psi_categories"}
    assert kinds(day(confidences=UNSURE)) == {"psi_confidence"}
    assert kinds(day(confidence=0.79)) == {"expected_accuracy"}
    assert kinds(day(different=0.3)) == {"disagreement"}


def test_few_predictions_raise_no_alarm() -> None:
    assert kinds(day(shares=(0.1, 0.1, 0.8), confidences=UNSURE, confidence=0.5, n=400)) == set()
    assert kinds(day(different=0.5, n=10)) == set()


def test_a_model_without_a_reference_is_watched_for_disagreement_only() -> None:
    counts = day(shares=(0.1, 0.1, 0.8), confidence=0.5, different=0.4)
    quality = of_day(counts, None)
    assert (quality[0].psi_categories, quality[0].psi_confidence) == (None, None)
    assert {alarm.kind for alarm in alarms(quality, None, LIMITS)} == {"disagreement"}


def test_the_reference_of_a_model_counts_its_answers() -> None:
    shares = np.array([[0.95, 0.05], [1.0, 0.0], [0.35, 0.65]], dtype=np.float32)
    found = Reference.of(shares, ("shoes", "toys"))
    assert found.categories == pytest.approx({"shoes": 2 / 3, "toys": 1 / 3})
    assert found.confidences == pytest.approx((0, 0, 0, 0, 0, 0, 1 / 3, 0, 0, 2 / 3))
    assert found.expected_accuracy == pytest.approx((0.95 + 1 + 0.65) / 3)
