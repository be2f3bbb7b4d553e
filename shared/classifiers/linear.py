"""Serves a linear model: words and their pieces by TF-IDF, a mean of word vectors, and what a taxonomy's entries say.

For a text with word and pair counts w, piece counts p, unit vector v of navec, and numbers f of `keyword_features`:

    logits = unit((1 + ln w) * idf) @ A + unit((1 + ln p) * idf) @ B + v @ C + f @ D + b

where 1 + ln 0 counts as 0 (sublinear TF-IDF: Manning, Raghavan, Schütze, Introduction to Information Retrieval, 6.4.1).
How A, B, C, D and b are found is `shared.training.linear`. Models of format 1 have no D. Neither torch nor scikit-learn
is needed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from shared.classifiers.classifier import Predictions, predicted
from shared.classifiers.keyword_features import KeywordFeatures, KeywordForms
from shared.classifiers.vocabulary import MOST, CountMatrix, Vocabulary, counted
from shared.compute.arrays import Float32s
from shared.encoders.encoder import Vectors, unit
from shared.encoders.navec import MOST_WORDS, NavecEncoder
from shared.errors import ConfigurationError, ModelError
from shared.text.words import WordOccurrences

VOCABULARY: Final = "vocabulary.json"
LINEAR: Final = "linear.safetensors"
KEYWORDS: Final = "keywords.json"
FILES: Final = (VOCABULARY, LINEAR)
"""Of every linear model. One with keyword features has KEYWORDS too."""
MOST_BYTES: Final = 2**26
"""Of a vocabulary, or of forms; one as large as training allows takes less."""
DIMENSIONS: Final = 300
"""Of a word vector."""
HEADER_BYTES: Final = 4_096
"""Of weights, beside their numbers."""
LARGEST: Final = 1e6
"""Of any coefficient: sums of larger ones could overflow."""
IDF: Final = (1.0, 100.0)
"""ln((1 + n) / (1 + texts)) + 1 is never below 1, and of any number of texts below 50."""
NEVER: Final = -1_000.0
"""Intercept of a category without training rows."""

Entries = Annotated[tuple[str, ...], msgspec.Meta(max_length=MOST)]


class Names(msgspec.Struct, frozen=True):
    """vocabulary.json: the columns of the model, and the word vectors it was made with."""

    encoder: str
    words: Entries
    pairs: Entries
    pieces: Entries


class Weights(msgspec.Struct, frozen=True):
    """The numbers: `idf` [columns], `coefficients` [columns + dimensions + features, k], `intercepts` [k].

    The dimensions are those of a word vector. Without keyword features there are 0 of these.
    """

    idf: Float32s
    coefficients: Float32s
    intercepts: Float32s


class LinearClassifier:
    """Implements `shared.classifiers.Classifier`. Reads whole texts, so none is ever truncated.

    `weights` are those of `vocabulary`, then of the word vectors, then of `keywords`, `labels` k slugs in the order of
    the logits, which are divided by `temperature`, above 0. Raises ModelError where shapes do not fit each other,
    numbers are not finite, or there are no word vectors.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        weights: Weights,
        labels: tuple[str, ...],
        keywords: KeywordFeatures | None = None,
        *,
        temperature: float = 1.0,
    ) -> None:
        self.labels = labels
        self.vocabulary: Final = vocabulary
        self.weights: Final = weights
        self.keywords: Final = keywords
        self._encoder = encoder()
        self.temperature: Final = temperature
        columns, k = len(vocabulary), len(self.labels)
        rows = columns + DIMENSIONS + (keywords.width if keywords else 0)
        _check(weights, {"idf": (columns,), "coefficients": (rows, k), "intercepts": (k,)})

    def predict(self, texts: Sequence[str]) -> Predictions:
        """Probabilities for the texts, in their order; equal texts are computed once.

        Raises InvalidAnswer where the sum is no number.
        """
        return predicted(
            texts, lambda some: (self.logits(some), np.zeros(len(some), dtype=np.bool_)), self.temperature
        )

    def logits(self, texts: Sequence[str]) -> Float32s:
        """Logits for texts, shape [n, k], in their order."""
        columns = len(self.vocabulary)
        split = columns - len(self.vocabulary.pieces)
        known, pieces, vectors, told = np.split(
            self.weights.coefficients, [split, columns, columns + DIMENSIONS]
        )
        idf = np.split(self.weights.idf, [split])
        logits = np.tile(self.weights.intercepts, (len(texts), 1))
        for some in self.vocabulary.counts(texts):
            logits[some.part] += weighted(some.words, idf[0]) @ known
            logits[some.part] += weighted(some.pieces, idf[1]) @ pieces
            logits[some.part] += meant(some.found, self._encoder) @ vectors
            if self.keywords is not None:
                logits[some.part] += self.keywords.of(texts[some.part], some.found) @ told
        return logits


def weighted(counts: CountMatrix, idf: NDArray[np.floating]) -> CountMatrix:
    """Counts as TF-IDF in rows of length 1; empty rows stay empty. `counts` is changed."""
    counts.data = (1 + np.log(counts.data)) * idf[counts.indices]
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    lengths = np.sqrt(np.bincount(rows, weights=counts.data**2, minlength=counts.shape[0]))
    counts.data = (counts.data / lengths[rows]).astype(np.float32)
    return counts


def meant(found: WordOccurrences, by: NavecEncoder) -> Vectors:
    """What `embed` says of the same texts, whose words are found already."""
    early = found.first(MOST_WORDS)
    rows, vectors = by.weighted(early.distinct)
    known = rows[early.numbers]
    there = known >= 0
    return unit(counted(early.rows[there], known[there], (early.texts, len(vectors))) @ vectors)


@cache
def encoder() -> NavecEncoder:
    """The word vectors, read once in a process. Raises ModelError."""
    try:
        return NavecEncoder()
    except ConfigurationError as error:
        raise ModelError(f"linear model: {error}") from error


def read(contents: Mapping[str, bytes], labels: Sequence[str], temperature: float = 1.0) -> LinearClassifier:
    """A model from the contents of FILES, and of KEYWORDS where it has that.

    Raises ModelError for what is none, or one for other word vectors.
    """
    vocabulary = _vocabulary(contents[VOCABULARY])
    keywords = _keywords(contents[KEYWORDS], len(labels)) if KEYWORDS in contents else None
    content = contents[LINEAR]
    rows = len(vocabulary) + DIMENSIONS + (keywords.width if keywords else 0)
    most = 4 * (rows + 1) * (len(labels) + 1) + HEADER_BYTES
    if len(content) > most:
        raise ModelError(f"{LINEAR}: expected at most {most:,} bytes, found {len(content):,}")
    try:
        tensors: dict[str, Any] = safetensors.numpy.load(content)
    except Exception as error:
        raise ModelError(f"{LINEAR}: expected readable weights, found: {error}") from error
    wanted = Weights.__struct_fields__
    if sorted(tensors) != sorted(wanted):
        found = ", ".join(sorted(tensors)) or "nothing"
        raise ModelError(f"{LINEAR}: expected {', '.join(wanted)}, found {found[:200]}")
    return LinearClassifier(
        vocabulary, Weights(**tensors), tuple(labels), keywords=keywords, temperature=temperature
    )


def _keywords(content: bytes, categories: int) -> KeywordFeatures:
    _check_size(KEYWORDS, content)
    try:
        return KeywordFeatures(msgspec.json.decode(content, type=KeywordForms), categories)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ModelError(f"{KEYWORDS}: expected the forms of a taxonomy's entries, found: {error}") from error


def _check_size(name: str, content: bytes) -> None:
    if len(content) > MOST_BYTES:
        raise ModelError(f"{name}: expected at most {MOST_BYTES:,} bytes, found {len(content):,}")


def _vocabulary(content: bytes) -> Vocabulary:
    _check_size(VOCABULARY, content)
    try:
        names = msgspec.json.decode(content, type=Names)
        vocabulary = Vocabulary(names.words, names.pairs, names.pieces)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{VOCABULARY}: expected lists of different words, pairs and pieces, found: {error}"
        ) from error
    if names.encoder != encoder().model:
        raise ModelError(
            f"{VOCABULARY}: expected a model for the word vectors {encoder().model}, found one for {names.encoder!r}; "
            "train it again here, or install the natasha that it was trained with"
        )
    return vocabulary


def _check(weights: Weights, shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in shapes.items():
        found = getattr(weights, name)
        if found.dtype != np.float32 or found.shape != shape:
            raise ModelError(
                f"{LINEAR}: expected {name} as float32 of shape {shape}, found {found.dtype} of {found.shape}"
            )
        if not (np.abs(found) <= LARGEST).all():
            raise ModelError(
                f"{LINEAR}: expected finite numbers up to {LARGEST:,.0f} in {name}, found NaN, infinity or a larger one"
            )
    least, most = IDF
    if len(weights.idf) and not (weights.idf.min() >= least and weights.idf.max() <= most):
        raise ModelError(
            f"{LINEAR}: expected idf from {least:g} to {most:g}, found {weights.idf.min():g} to {weights.idf.max():g}"
        )


def files(model: LinearClassifier) -> dict[str, bytes]:
    """The contents of its files, from which `read` makes the same model."""
    says = model.vocabulary
    names = Names(encoder().model, says.words, says.pairs, says.pieces)
    numbers = {name: getattr(model.weights, name) for name in Weights.__struct_fields__}
    made = {VOCABULARY: msgspec.json.encode(names), LINEAR: safetensors.numpy.save(numbers)}
    return made if model.keywords is None else made | {KEYWORDS: msgspec.json.encode(model.keywords.forms)}
