"""How right a trained model is on checked reviews, and the temperature that makes its confidences mean that."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from shared.classifiers.onnx_classifier import Tokens
from shared.classifiers.packaging.logits import torch_logits
from shared.classifiers.packaging.package import Package
from shared.classifiers.temperature import fit_temperature
from shared.quality.evaluation import score


def measured(made: Package, texts: Sequence[str], truth: Sequence[str]) -> Package:
    """The same model with metrics and a temperature from reviews of known category, given as slugs.

    They must not be among those that it was trained on. Metrics: `weighted_f1`, `macro_f1`, `accuracy`, 0..1, and
    `gold_reviews`, how many there were. Raises ValueError without any.
    """
    ids, _ = Tokens(made.tokenizer, made.max_tokens)(texts)
    columns = np.array([made.labels.index(slug) for slug in truth])
    if len(columns) == 0:
        raise ValueError("measuring: expected at least one checked review, found none")
    logits = torch_logits(made.network, ids)
    found = score(truth, [made.labels[column] for column in logits.argmax(axis=1)])
    return msgspec.structs.replace(made, temperature=fit_temperature(logits, columns), metrics=found.metrics)
