"""Trains the linear model, the baseline that every network must beat to be worth its cost. Needs no torch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, vstack
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from shared.classifiers.linear import NEVER, LinearClassifier, Weights, encoder, meant, weighted
from shared.classifiers.temperature import fit_temperature
from shared.classifiers.vocabulary import Vocabulary, learnt
from shared.compute.arrays import Float32s
from shared.training.arguments import Arguments
from shared.training.data import Data, oversampled_places

VECTOR_WEIGHT: Final = 0.5
"""Length of a text's word vector beside its two rows of TF-IDF, which have length 1. Without word vectors, weighted F1
on gold was 0.858 instead of 0.873; lengths of 0.5 to 1.5 differed by less than 0.01."""
BALANCE: Final = "weights"
"""Unless the arguments say otherwise. With rows drawn again, weighted F1 on gold was 0.864 instead of
0.875, and training took four times as long."""


def train_linear(arguments: Arguments, data: Data) -> LinearClassifier:
    """One-against-all linear support vector machines on the training part, calibrated on the validation part.

    Words are learnt from the training part. A category without rows there is never predicted. Without validation rows
    the temperature is 1. The seed changes nothing but which rows are drawn again. Takes about 25 kB and 0.6 ms for each
    row of ordinary length.
    """
    texts = [row.text for row in data.train]
    vocabulary = learnt(texts)
    idf = _frequencies(vocabulary, texts)
    weights = _fitted(arguments, _features(vocabulary, idf, texts), data, idf)
    model = LinearClassifier(vocabulary, weights, data.labels)
    present = weights.intercepts > NEVER
    rows = [row for row in data.validation if present[data.labels.index(row.category)]]
    temperature = 1.0
    if rows:
        truth: NDArray[np.int64] = np.array([data.labels.index(row.category) for row in rows])
        temperature = fit_temperature(model.logits([row.text for row in rows]), truth)
    return LinearClassifier(vocabulary, weights, data.labels, temperature=temperature)


def _frequencies(vocabulary: Vocabulary, texts: Sequence[str]) -> Float32s:
    """ln((1 + n) / (1 + texts with the column)) + 1 for each column, as if one text more had all of them."""
    occurs = np.zeros(len(vocabulary), np.int64)
    split = len(vocabulary) - len(vocabulary.pieces)
    for _, _, words, pieces in vocabulary.counts(texts):
        occurs[:split] += np.bincount(words.indices, minlength=split)
        occurs[split:] += np.bincount(pieces.indices, minlength=len(occurs) - split)
    return (np.log((1 + len(texts)) / (1 + occurs)) + 1).astype(np.float32)


def _features(vocabulary: Vocabulary, idf: Float32s, texts: Sequence[str]) -> Any:
    """The sparse matrix of the texts, [n, columns + dimensions], in the form that liblinear reads without a copy."""
    split = len(vocabulary) - len(vocabulary.pieces)
    rows = []
    for _, found, words, pieces in vocabulary.counts(texts):
        vectors = csr_array(VECTOR_WEIGHT * meant(found, encoder()))
        blocks = weighted(words, idf[:split]), weighted(pieces, idf[split:]), vectors
        rows.append(hstack(blocks, format="csr", dtype=np.float64))
    return vstack(rows, format="csr")


def _fitted(arguments: Arguments, features: Any, data: Data, idf: Float32s) -> Weights:
    """The coefficients of a fitted machine in the order of labels."""
    balance = arguments.balance or BALANCE
    categories = np.array([row.category for row in data.train])
    if balance == "oversample":
        places = oversampled_places(categories.tolist(), arguments.seed)
        features, categories = features[places], categories[places]
    machine = LinearSVC(
        C=arguments.regularisation,
        class_weight="balanced" if balance == "weights" else None,
        random_state=arguments.seed,
        dual="auto",
    )
    with warnings.catch_warnings():
        # A thousand passes are enough for every digit that matters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(features, categories)
    rows, offsets = machine.coef_, machine.intercept_
    if len(machine.classes_) == 2:  # one row then speaks for the second of two
        rows, offsets = np.vstack([-rows, rows]), np.concatenate([-offsets, offsets])
    coefficients = np.zeros((rows.shape[1], len(data.labels)), np.float32)
    intercepts = np.full(len(data.labels), NEVER, np.float32)
    for name, row, offset in zip(machine.classes_, rows, offsets, strict=True):
        column = data.labels.index(str(name))
        coefficients[:, column] = row
        intercepts[column] = offset
    coefficients[len(idf) :] *= VECTOR_WEIGHT
    return Weights(idf, coefficients, intercepts)
