"""How good a classifier is on gold, and how fast: what a run keeps about the model that it has made."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from shared.classifiers import Classifier
from shared.quality.evaluation import score
from shared.store.snapshots import GoldText

SPEED_S: Final = 2.0
"""Seconds of the measurement of a model's speed."""


def measured(
    classifier: Classifier, gold: Sequence[GoldText], sample: Sequence[str]
) -> tuple[list[str], dict[str, float], float]:
    """A classifier's answers about gold, in its order, their metrics, and the texts that it reads in a second.

    Measure what will serve: its speed is that on one core over `sample`. Without gold there are no metrics.
    """
    answers = answers_of(classifier, gold)
    metrics = score([row.category for row in gold], answers).metrics if gold else {}
    classifier.predict(sample[:50])
    began, done = time.monotonic(), 0
    while done == 0 or time.monotonic() - began < SPEED_S:
        classifier.predict(sample)
        done += len(sample)
    return answers, metrics, round(done / (time.monotonic() - began), 1)


def answers_of(classifier: Classifier, gold: Sequence[GoldText]) -> list[str]:
    """What a classifier says of each gold review, as slugs."""
    if not gold:
        return []
    columns = classifier.predict([row.text for row in gold]).probabilities.argmax(axis=1)
    return [classifier.labels[column] for column in columns]
