"""How a model's answers spread over categories and confidences: what later days are compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.classifiers.manifest import BINS, Reference
from shared.compute.arrays import Float32s


def reference(probabilities: Float32s, labels: Sequence[str]) -> Reference:
    """Shares by category and by confidence of answers with shape [n, k], n above 0."""
    categories = np.bincount(probabilities.argmax(axis=1), minlength=len(labels))
    places = np.minimum((probabilities.max(axis=1) * BINS).astype(int), BINS - 1)
    confidences = np.bincount(places, minlength=BINS)
    total = len(probabilities)
    return Reference(
        total,
        float(probabilities.max(axis=1).mean()),
        {label: float(count / total) for label, count in zip(labels, categories, strict=True)},
        tuple(float(count / total) for count in confidences),
    )
