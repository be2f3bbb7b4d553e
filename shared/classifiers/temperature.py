"""Calibration of a classifier by one number (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

LOWEST: Final = 0.05
HIGHEST: Final = 20.0


def fit_temperature(logits: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """The temperature in LOWEST..HIGHEST that makes the right categories likeliest.

    `logits` have shape [n, k] and come from reviews that the model was not trained on; `truth` [n] are the columns of
    their categories. Division by a temperature changes no argmax. Raises ValueError without any.
    """
    if len(logits) == 0:
        raise ValueError("temperature: expected at least one labelled review, found none")
    scores = np.asarray(logits, dtype=np.float64)
    rows = np.arange(len(scores))

    def loss(log_temperature: float) -> float:
        return float(-log_softmax(scores / np.exp(log_temperature), axis=1)[rows, truth].mean())

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return float(np.exp(found.x))
