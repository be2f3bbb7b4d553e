"""Serves a linear model and a network as one: the mean of what both say, each divided by its own temperature first.

    logits = (linear / its temperature + network / its temperature) / 2

A mean of logits is the normalised geometric mean of probabilities, a product of experts (G. Hinton, "Training Products
of Experts by Minimizing Contrastive Divergence", Neural Computation 14, 2002). How the members and the temperature of
the pair are found is `shared.training.pair`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from shared.classifiers.classifier import Flags, Predictions, predicted
from shared.classifiers.linear import LinearClassifier
from shared.classifiers.onnx_classifier import OnnxClassifier
from shared.compute.arrays import Float32s
from shared.errors import ModelError


class PairClassifier:
    """Implements `shared.classifiers.Classifier`. A text that is longer than the network reads is truncated.

    The mean is divided by `temperature`, above 0. Raises ModelError where the members have not the same labels.
    """

    def __init__(
        self, linear: LinearClassifier, network: OnnxClassifier, *, temperature: float = 1.0
    ) -> None:
        if linear.labels != network.labels:
            raise ModelError("pair: expected members with the same labels in the same order, found others")
        self.labels = linear.labels
        self.linear: Final = linear
        self.network: Final = network
        self.temperature: Final = temperature

    def predict(self, texts: Sequence[str]) -> Predictions:
        """Probabilities for the texts, in their order; equal texts are computed once.

        Raises InvalidAnswer where a member gives something that is no number.
        """

        def score(distinct: list[str]) -> tuple[Float32s, Flags]:
            ids, truncated = self.network.tokens(distinct)
            own = self.linear.logits(distinct) / np.float32(self.linear.temperature)
            return mean(own, self.network.logits(ids) / np.float32(self.network.temperature)), truncated

        return predicted(texts, score, self.temperature)


def mean(linear: Float32s, network: Float32s) -> Float32s:
    """What the pair says, from what its members say, all of shape [n, k]."""
    both: Float32s = (linear + network) / np.float32(2)
    return both
