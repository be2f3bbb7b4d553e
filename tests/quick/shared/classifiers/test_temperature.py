"""Calibration by a temperature, on simulated logits whose true temperature is known."""

from __future__ import annotations

import numpy as np
import pytest

from shared.classifiers import softmax
from shared.classifiers.temperature import fit_temperature


def world(temperature: float, size: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `temperature` times too large, and truths drawn from what they should have been."""
    rng = np.random.default_rng(1)
    honest = rng.normal(0, 1.5, (size, 5))
    shares = softmax(honest)
    truth = (shares.cumsum(axis=1) < rng.random((size, 1))).sum(axis=1).clip(max=4)
    return honest * temperature, truth


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_is_found_again(temperature: float) -> None:
    assert fit_temperature(*world(temperature)) == pytest.approx(temperature, rel=0.05)


def test_calibrated_confidence_is_the_share_of_right_answers() -> None:
    logits, truth = world(3.0)
    right = (logits.argmax(axis=1) == truth).mean()
    before = softmax(logits).max(axis=1).mean()
    after = softmax(logits, fit_temperature(logits, truth)).max(axis=1).mean()
    assert after == pytest.approx(right, abs=0.01)
    assert before > right + 0.1


def test_a_perfect_model_stays_within_bounds() -> None:
    assert 0.05 <= fit_temperature(np.eye(3) * 5, np.arange(3)) <= 20


def test_without_labels_there_is_no_temperature() -> None:
    with pytest.raises(ValueError, match="expected at least one labelled review"):
        fit_temperature(np.empty((0, 3)), np.empty(0, dtype=int))


def test_probabilities_of_huge_logits_are_finite() -> None:
    np.testing.assert_allclose(
        softmax(np.array([[1e4, 0.0], [-1e4, -1e4]], np.float32)), np.array([[1, 0], [0.5, 0.5]])
    )
