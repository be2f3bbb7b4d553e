"""What every classifier that serves looks like from outside: texts in, calibrated probabilities out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.compute.arrays import Float32s
from shared.errors import InvalidAnswer

Flags = NDArray[np.bool_]


class Predictions(NamedTuple):
    """Answers for n texts: `probabilities` with shape [n, k], each row summing to 1, and `truncated` with shape [n].

    A truncated text was longer than the model reads; its answer is about its beginning.
    """

    probabilities: Float32s
    truncated: Flags


class Classifier(Protocol):
    """Gives every text a probability for each of its labels. One thread uses it at a time."""

    labels: tuple[str, ...]
    """Slugs, in the order of the columns."""

    def predict(self, texts: Sequence[str]) -> Predictions:
        """Probabilities for the texts, in their order."""


def predicted(
    texts: Sequence[str],
    score: Callable[[list[str]], tuple[NDArray[np.floating], Flags]],
    temperature: float,
) -> Predictions:
    """Predictions out of what `score` gives for different texts: logits [n, k], and which texts were cut [n].

    Equal texts are computed once. Raises InvalidAnswer where a logit is no number.
    """
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    logits, truncated = score(list(places))
    shares = softmax(logits, temperature)
    if not np.isfinite(shares).all():
        raise InvalidAnswer("classifier: expected finite logits, found others")
    order = np.fromiter((places[text] for text in texts), dtype=np.int64, count=len(texts))
    return Predictions(shares[order], truncated[order])


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> Float32s:
    """Probabilities from logits of shape [n, k], divided by a temperature first."""
    scaled = np.asarray(logits, dtype=np.float32) / np.float32(temperature)
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: Float32s = powers / powers.sum(axis=1, keepdims=True)
    return shares
