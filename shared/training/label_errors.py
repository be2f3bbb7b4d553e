"""Which training reviews seem to have the wrong label: confident learning on what a linear model says of them.

Northcutt, Jiang, Chuang: Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 70, 2021; as in cleanlab.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from shared.classifiers.classifier import softmax
from shared.compute.arrays import Float32s
from shared.reviews.labelled_text import Row
from shared.training.arguments import arguments
from shared.training.data import Data, counts
from shared.training.linear import out_of_fold, temperature_of

FOLDS: Final = 5
SUSPECTED: Final = "suspected label error"
"""Reason in `Data.left_out`."""


def without_suspects(data: Data, seed: int) -> tuple[Data, list[Row]]:
    """The data without training reviews whose label is probably wrong, and those reviews.

    Each review is judged by linear models that were trained on the others. The taxonomy's texts are never judged, nor
    are labels of people, nor categories with fewer reviews than there are folds.
    """
    found = counts(row for row in data.train if row.review_id)
    judged = [place for place, row in enumerate(data.train) if row.review_id and found[row.category] >= FOLDS]
    if len({data.train[place].category for place in judged}) < 2:
        return data, []
    suspected = {judged[number] for number in _suspects(data, judged, seed)}
    suspects = [data.train[place] for place in sorted(suspected)]
    kept = tuple(row for place, row in enumerate(data.train) if place not in suspected)
    left_out = data.left_out | ({SUSPECTED: len(suspects)} if suspects else {})
    return msgspec.structs.replace(data, train=kept, left_out=left_out), suspects


def _suspects(data: Data, judged: Sequence[int], seed: int) -> list[int]:
    """Which of the judged reviews, by their number among them, are suspected. Those of people are not."""
    from cleanlab.filter import find_label_issues

    probabilities = _out_of_fold(data, judged, seed)
    categories = [data.train[place].category for place in judged]
    present = [column for column, label in enumerate(data.labels) if label in categories]
    shares = probabilities[:, present] + np.finfo(np.float32).tiny
    shares /= shares.sum(axis=1, keepdims=True)
    columns = np.array([present.index(data.labels.index(category)) for category in categories])
    issues: NDArray[np.bool_] = find_label_issues(columns, shares, n_jobs=1, min_examples_per_class=FOLDS)
    found: list[int] = np.flatnonzero(issues).tolist()
    return [number for number in found if not data.train[judged[number]].trusted]


def _out_of_fold(data: Data, judged: Sequence[int], seed: int) -> Float32s:
    """Probabilities [judged, k] from models that were trained on the other folds, and on all that is not judged."""
    said = arguments(architecture="linear", seed=seed)
    categories = [data.train[place].category for place in judged]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        parts = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(categories, categories)
        folds = [[judged[number] for number in held_out] for _, held_out in parts]
    logits = out_of_fold(said, data.train, data, folds)
    temperature = temperature_of(data.labels, data.train, logits)
    return softmax(np.stack([logits[place] for place in judged]), temperature)
