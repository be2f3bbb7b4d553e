"""Trains the linear model, the baseline that every network must beat to be worth its cost. Needs no torch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, vstack
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from shared.classifiers.keyword_features import KeywordFeatures, forms_of
from shared.classifiers.linear import (
    DIMENSIONS,
    NEVER,
    LinearClassifier,
    Weights,
    encoder,
    meant,
    weighted,
)
from shared.classifiers.temperature import fit_temperature
from shared.classifiers.vocabulary import Vocabulary, learnt
from shared.compute.arrays import Float32s, Float64s
from shared.reviews.labelled_text import Row
from shared.taxonomy import Taxonomy
from shared.training.arguments import Arguments
from shared.training.data import Data, class_weights, oversampled_places
from shared.training.watch import Interrupted, Watch

VECTOR_WEIGHT: Final = 0.5
"""Length of a text's word vector beside its two rows of TF-IDF, which have length 1. Without word vectors, weighted F1
on gold was 0.858 instead of 0.873; lengths of 0.5 to 1.5 differed by less than 0.01."""
OWN_WEIGHT: Final = 0.05
"""What a text of the taxonomy counts beside a review, with keyword features: these agree with such a text anyway, which
no review promises. With 1 instead, less could be kept at the same precision, on folds of an LLM's labels."""
FOLDS: Final = 5
BALANCE: Final = "weights"
"""Unless the arguments say otherwise. With rows drawn again, weighted F1 on gold was 0.864 instead of
0.875, and training took four times as long."""


def train_linear(arguments: Arguments, data: Data, watch: Watch | None = None) -> LinearClassifier:
    """One-against-all linear support vector machines on all rows, calibrated on what they say out of fold.

    There is nothing to stop early, so the validation part is trained on too: the temperature comes from models that
    were trained on the other folds of the reviews. Without reviews it is 1. A category without rows is never predicted.
    The seed changes nothing but which rows are drawn again. Takes about 25 kB and 1 ms for each row of ordinary length.
    """
    return train_judged(arguments, data, watch)[0]


def train_judged(
    arguments: Arguments, data: Data, watch: Watch | None = None
) -> tuple[LinearClassifier, dict[int, Float32s]]:
    """What `train_linear` makes, and the out-of-fold logits of reviews by place in (*data.train, *data.validation).

    The watch is told how many of the models, of which each takes as long, are done. Raises Interrupted between two.
    """
    rows = (*data.train, *data.validation)
    reviews = [at for at, row in enumerate(rows) if row.review_id or at >= len(data.train)]
    folds = folds_of(rows, reviews)

    def tell(share: float) -> None:
        if watch is not None:
            watch.progress(share)
            if watch.stop():
                raise Interrupted(0, anew=True)

    tell(0.0)
    model = fitted(arguments, rows, data)
    logits: dict[int, Float32s] = {}
    for done, fold in enumerate(folds, 1):
        tell(done / (1 + len(folds)))
        logits |= out_of_fold(arguments, rows, data, [fold])
    made = LinearClassifier(
        model.vocabulary,
        model.weights,
        model.labels,
        keywords=model.keywords,
        temperature=temperature_of(data.labels, rows, logits),
    )
    return made, logits


def folds_of(rows: Sequence[Row], judged: Sequence[int]) -> list[list[int]]:
    """Places of the judged rows in FOLDS parts, each with its share of every category; none where there are too few."""
    order = sorted(judged, key=lambda at: (rows[at].category, at))
    return [order[first::FOLDS] for first in range(FOLDS)] if len(order) >= FOLDS else []


def out_of_fold(
    arguments: Arguments, rows: Sequence[Row], data: Data, folds: Sequence[Sequence[int]]
) -> dict[int, Float32s]:
    """Logits of the rows at the places in `folds`, by place, from models that were trained on all rows but their fold.

    Where the others are of one category only there are none.
    """
    logits: dict[int, Float32s] = {}
    for fold in folds:
        away = set(fold)
        others = [row for at, row in enumerate(rows) if at not in away]
        if len({row.category for row in others}) > 1:
            model = fitted(arguments, others, data)
            logits |= zip(fold, model.logits([rows[at].text for at in fold]), strict=True)
    return logits


def temperature_of(labels: Sequence[str], rows: Sequence[Row], logits: Mapping[int, Float32s]) -> float:
    """The temperature that makes the rows' categories likeliest by their logits, or 1 without any.

    One number for all categories: a scale and an offset for each (vector scaling; Guo et al., 2017) took log-loss from
    0.344 to 0.337 over five folds of the LLM's labels, and moved neither F1 nor coverage beyond chance.
    """
    truth = {at: labels.index(rows[at].category) for at in logits}
    # A category of which all rows were away is no matter of temperature.
    known = [at for at, column in truth.items() if logits[at][column] > NEVER / 2]
    if not known:
        return 1.0
    columns: NDArray[np.int64] = np.array([truth[at] for at in known])
    return fit_temperature(np.stack([logits[at] for at in known]), columns)


def fitted(arguments: Arguments, rows: Sequence[Row], data: Data) -> LinearClassifier:
    """The machines on some rows of the data, not calibrated. Words are learnt from them."""
    texts = [row.text for row in rows]
    vocabulary = learnt(texts)
    idf = _frequencies(vocabulary, texts)
    keywords = None
    if arguments.keyword_features and data.taxonomy is not None:
        keywords = keywords_of(data.taxonomy)
    features = _features(vocabulary, idf, keywords, texts)
    weights = _fitted(arguments, features, rows, data.labels, len(idf))
    return LinearClassifier(vocabulary, Weights(idf, *weights), data.labels, keywords=keywords)


@lru_cache(maxsize=1)
def keywords_of(taxonomy: Taxonomy) -> KeywordFeatures:
    """Compiled once for all the models of a training."""
    return KeywordFeatures(forms_of(taxonomy), len(taxonomy.categories))


def _frequencies(vocabulary: Vocabulary, texts: Sequence[str]) -> Float32s:
    """ln((1 + n) / (1 + texts with the column)) + 1 for each column, as if one text more had all of them."""
    occurs = np.zeros(len(vocabulary), np.int64)
    split = len(vocabulary) - len(vocabulary.pieces)
    for _, _, words, pieces in vocabulary.counts(texts):
        occurs[:split] += np.bincount(words.indices, minlength=split)
        occurs[split:] += np.bincount(pieces.indices, minlength=len(occurs) - split)
    return (np.log((1 + len(texts)) / (1 + occurs)) + 1).astype(np.float32)


def _features(
    vocabulary: Vocabulary, idf: Float32s, keywords: KeywordFeatures | None, texts: Sequence[str]
) -> Any:
    """The sparse matrix of the texts, [n, rows of coefficients], in the form that liblinear reads without a copy."""
    split = len(vocabulary) - len(vocabulary.pieces)
    rows = []
    for part, found, words, pieces in vocabulary.counts(texts):
        vectors = csr_array(VECTOR_WEIGHT * meant(found, encoder()))
        blocks = [weighted(words, idf[:split]), weighted(pieces, idf[split:]), vectors]
        if keywords is not None:
            blocks.append(csr_array(keywords.of(texts[part], found)))
        rows.append(hstack(blocks, format="csr", dtype=np.float64))
    return vstack(rows, format="csr")


def _fitted(
    arguments: Arguments, features: Any, rows: Sequence[Row], labels: Sequence[str], columns: int
) -> tuple[Float32s, Float32s]:
    """Coefficients and intercepts of fitted machines in the order of labels; word vectors come after `columns`."""
    balance = arguments.balance or BALANCE
    categories = np.array([row.category for row in rows])
    counted = row_weights(arguments, rows)
    if balance == "oversample":
        places = oversampled_places(categories.tolist(), arguments.seed)
        features, categories, counted = features[places], categories[places], counted[places]
    machine = LinearSVC(
        C=arguments.regularisation,
        class_weight=by_category(rows, balance),
        random_state=arguments.seed,
        dual="auto",
    )
    with warnings.catch_warnings():
        # A thousand passes are enough for every digit that matters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(features, categories, sample_weight=counted)
    found, offsets = machine.coef_, machine.intercept_
    if len(machine.classes_) == 2:  # one row then speaks for the second of two
        found, offsets = np.vstack([-found, found]), np.concatenate([-offsets, offsets])
    coefficients = np.zeros((found.shape[1], len(labels)), np.float32)
    intercepts = np.full(len(labels), NEVER, np.float32)
    for name, row, offset in zip(machine.classes_, found, offsets, strict=True):
        column = labels.index(str(name))
        coefficients[:, column] = row
        intercepts[column] = offset
    coefficients[columns : columns + DIMENSIONS] *= VECTOR_WEIGHT
    return coefficients, intercepts


def by_category(rows: Sequence[Row], balance: str) -> dict[str, float] | None:
    if balance not in ("weights", "roots"):
        return None
    present = sorted({row.category for row in rows})
    return dict(zip(present, class_weights(rows, present, roots=balance == "roots"), strict=True))


def row_weights(arguments: Arguments, rows: Sequence[Row]) -> Float64s:
    """How much each row counts: 1, or OWN_WEIGHT for the taxonomy's own texts where its entries are read from texts."""
    own = np.array([not row.review_id for row in rows])
    if own.all() or not arguments.keyword_features:
        return np.ones(len(rows))
    return np.where(own, OWN_WEIGHT, 1.0)
