"""How fast the linear classifier is on one core, beside scikit-learn's own pipeline and a bare loop.

All three know the same words, pairs and pieces, learnt from the same texts with the same labels, those of the keyword
stage; ours reads word vectors as well. They get the same texts in the same chunks on one thread, by turns.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Final

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.svm import LinearSVC

from scripts.bench.turns import Peer, about, chunked, rates
from shared.cascade.stage import verdicts
from shared.classifiers import LinearClassifier, softmax
from shared.classifiers.vocabulary import LEAST_TEXTS, MOST, SIZES
from shared.reviews.labelled_text import Row
from shared.stages.keywords.stage import KeywordStage
from shared.taxonomy import Taxonomy
from shared.training.arguments import arguments
from shared.training.data import prepared
from shared.training.linear import train_linear

WORD: Final = re.compile(r"\w+")


def run(texts: Sequence[str], seconds: float, taxonomy: Taxonomy) -> dict[str, Any]:
    """Reviews per second of each way on one core, over at least `seconds` of wall-clock in all.

    Keys: `linear`, `scikit_learn`, `loop` (reviews per second); `texts`, `mean_chars`, `chunk`, `columns`. Raises
    ValueError where there are no texts, TrainingError where the keyword stage knows too few of them.
    """
    chunks, model, rows = chunked(texts), *taught(texts, taxonomy)
    ways: dict[str, Peer] = {
        "linear": model.predict,
        "scikit_learn": _scikit_learn(rows),
        "loop": _loop(model),
    }
    with _one_core():
        measured = rates(ways, chunks, seconds)
    return {**measured, **about(texts), "columns": len(model.vocabulary)}


def taught(texts: Sequence[str], taxonomy: Taxonomy) -> tuple[LinearClassifier, list[Row]]:
    """A classifier that the keyword stage has taught on these texts and the taxonomy's, and the rows it learnt from."""
    found = zip(texts, verdicts(KeywordStage(taxonomy), texts), strict=True)
    rows = [Row(text, verdict.category) for text, verdict in found if verdict is not None]
    chosen = arguments(architecture="linear", fewest=2, too_few="without", taxonomy_rows=True)
    data = prepared(rows, [], taxonomy, chosen)
    return train_linear(chosen, data), [*data.train]


@contextmanager
def _one_core() -> Iterator[None]:
    """Whatever threads a library has, they share one core of those that this process may use."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _scikit_learn(rows: Sequence[Row]) -> Peer:
    """What its documentation shows for texts, with pieces of words as well."""
    sizes = {"min_df": LEAST_TEXTS, "max_features": MOST, "sublinear_tf": True}
    features = FeatureUnion(
        [
            ("words", TfidfVectorizer(ngram_range=(1, 2), **sizes)),
            ("pieces", TfidfVectorizer(analyzer="char_wb", ngram_range=(SIZES[0], SIZES[-1]), **sizes)),
        ]
    )
    pipeline: Pipeline = make_pipeline(features, LinearSVC(dual="auto"))
    pipeline.fit([row.text for row in rows], [row.category for row in rows])
    return lambda texts: softmax(np.atleast_2d(pipeline.decision_function(texts)))


def _loop(model: LinearClassifier) -> Peer:
    """One text at a time, words and pieces looked up in a dictionary: the shortest way to write it."""
    vocabulary, weights = model.vocabulary, model.weights
    names = (*vocabulary.words, *vocabulary.pairs, *vocabulary.pieces)
    places = {name: at for at, name in enumerate(names)}
    split = len(names) - len(vocabulary.pieces)

    def logits(text: str) -> Any:
        counts = Counter(places[name] for name in _named(text) if name in places)
        columns = np.fromiter(counts, np.int64, len(counts))
        values = np.array([1 + math.log(count) for count in counts.values()]) * weights.idf[columns]
        for block in (columns < split, columns >= split):
            values[block] /= np.linalg.norm(values[block]) or 1.0
        return values @ weights.coefficients[columns] + weights.intercepts

    return lambda texts: softmax(np.array([logits(text) for text in texts]))


def _named(text: str) -> Iterator[str]:
    words = WORD.findall(text.lower())
    yield from words
    yield from map(" ".join, pairwise(words))
    for word in words:
        spaced = f" {word} "
        yield from (spaced[at : at + size] for size in SIZES for at in range(len(spaced) - size + 1))
