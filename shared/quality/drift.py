"""Quality without labels: what a day's predictions say about themselves, beside what the model said when it was made.

Pure functions. Where the counts come from is `shared.store.quality`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, Literal

import msgspec
import numpy as np

from shared.compute.arrays import Float32s
from shared.quality import binomial

CERTAINTY: Final = 0.95
FEWEST: Final = 500
"""Predictions of a day below which its distribution raises no alarm: chance alone moves small samples."""

FEWEST_COMPARED: Final = 50
"""Predictions with a label below which their disagreement raises no alarm: a day has many categories."""

BINS: Final = 10
"""Equal bins of confidence from 0 to 1 in a reference."""

AlarmKind = Literal[
    "expected_accuracy", "disagreement", "psi_categories", "psi_confidence", "withheld_precision"
]


class Reference(msgspec.Struct, frozen=True):
    """What the model said about the texts it was made for: shares by category, and of confidences in ten equal bins.

    `expected_accuracy` is the mean of its confidences.
    """

    texts: int
    expected_accuracy: float
    categories: dict[str, float]
    confidences: tuple[float, ...]

    @classmethod
    def of(cls, probabilities: Float32s, labels: Sequence[str]) -> Reference:
        """That of answers with shape [n, k], n above 0."""
        total, surest = len(probabilities), probabilities.max(axis=1)
        categories = np.bincount(probabilities.argmax(axis=1), minlength=len(labels)) / total
        bins = np.minimum((surest * BINS).astype(int), BINS - 1)
        confidences = np.bincount(bins, minlength=BINS) / total
        by_category = dict(zip(labels, categories.tolist(), strict=True))
        return cls(total, float(surest.mean()), by_category, tuple(confidences.tolist()))


class DailyCounts(msgspec.Struct, frozen=True):
    """A day's predictions of one model in one category.

    `confidence` is the sum of their confidences, `confidences` how many fall into each of ten equal bins, `labelled`
    how many have a label, of which `disagreements` name another category.
    """

    model_id: int
    day: date
    category: str
    predictions: int
    confidence: float
    confidences: tuple[int, ...]
    labelled: int
    disagreements: int


class Quality(msgspec.Struct, frozen=True):
    """What a day's predictions of one model come to, in one category or, where it is None, in all.

    `expected_accuracy` is the mean of calibrated confidences: the share of right predictions to expect without labels
    (CBPE, confidence-based performance estimation; the estimator of NannyML). `psi_*` are stability indexes against
    the model's reference, for all categories only; None without a reference.
    """

    model_id: int
    day: date
    category: str | None
    predictions: int
    expected_accuracy: float
    labelled: int
    disagreements: int
    psi_categories: float | None = None
    psi_confidence: float | None = None


class Limits(msgspec.Struct, frozen=True):
    """When a day is alarming: see the settings `alarm_*`."""

    psi: float
    accuracy_drop: float
    disagreement: float
    student_precision: float = 0.0


class Alarm(msgspec.Struct, frozen=True):
    """A day that is alarming in one way: `value` is beyond `limit`; `n` predictions were looked at."""

    model_id: int
    day: date
    category: str | None
    kind: AlarmKind
    value: float
    limit: float
    n: int


def stability_index(expected: Sequence[float], found: Sequence[int]) -> float:
    """The population stability index of counts against expected shares, 0 where they agree.

    The sum of (q - p) ln(q / p) over the bins (N. Siddiqi, "Credit Risk Scorecards", 2006, where below 0.1 means no
    change and above 0.25 a large one). Half a count is added to each bin, so that an empty one gives no infinity.
    """
    counts = np.asarray(found, dtype=float) + 0.5
    shares = np.asarray(expected, dtype=float) * max(1, sum(found)) + 0.5
    p, q = shares / shares.sum(), counts / counts.sum()
    return float(((q - p) * np.log(q / p)).sum())


def of_day(counts: Sequence[DailyCounts], reference: Reference | None) -> list[Quality]:
    """The quality of one model's day: first all categories, then each. `counts` has one entry for each category."""
    each = [_quality(one.category, [one]) for one in counts]
    whole = _quality(None, counts)
    if reference is not None:
        by_category = {one.category: one.predictions for one in counts}
        bins = [sum(column) for column in zip(*(one.confidences for one in counts), strict=True)]
        whole = msgspec.structs.replace(
            whole,
            psi_categories=stability_index(
                list(reference.categories.values()),
                [by_category.get(slug, 0) for slug in reference.categories],
            ),
            psi_confidence=stability_index(reference.confidences, bins),
        )
    return [whole, *each]


def _quality(category: str | None, counts: Sequence[DailyCounts]) -> Quality:
    total = sum(one.predictions for one in counts)
    return Quality(
        counts[0].model_id,
        counts[0].day,
        category,
        total,
        sum(one.confidence for one in counts) / total,
        sum(one.labelled for one in counts),
        sum(one.disagreements for one in counts),
    )


def alarms(day: Sequence[Quality], reference: Reference | None, limits: Limits) -> list[Alarm]:
    """What is alarming about a day of one model.

    Disagreement counts once its share among FEWEST_COMPARED or more is beyond the limit with 95 % certainty (Clopper
    and Pearson, 1934); the other kinds need FEWEST predictions.
    """
    found = [
        _alarm(one, "disagreement", one.disagreements / one.labelled, limits.disagreement, one.labelled)
        for one in day
        if one.labelled >= FEWEST_COMPARED
        and binomial.at_least(one.disagreements, one.labelled, 1 - CERTAINTY) > limits.disagreement
    ]
    whole = day[0]
    if reference is None or whole.predictions < FEWEST:
        return found
    least = reference.expected_accuracy - limits.accuracy_drop
    if whole.expected_accuracy < least:
        found.append(_alarm(whole, "expected_accuracy", whole.expected_accuracy, least, whole.predictions))
    kinds: tuple[tuple[AlarmKind, float | None], ...] = (
        ("psi_categories", whole.psi_categories),
        ("psi_confidence", whole.psi_confidence),
    )
    found += [
        _alarm(whole, kind, value, limits.psi, whole.predictions)
        for kind, value in kinds
        if value is not None and value > limits.psi
    ]
    return found


def _alarm(one: Quality, kind: AlarmKind, value: float, limit: float, n: int) -> Alarm:
    return Alarm(one.model_id, one.day, one.category, kind, value, limit, n)
