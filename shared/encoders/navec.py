"""Texts as weighted means of navec word vectors: no torch, no download, thousands of texts a second.

navec are GloVe vectors of Russian news, quantised (github.com/natasha/navec, MIT). The wheel of `natasha` brings
them; only its data file is read here and none of its code is imported.
"""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.encoders.encoder import Role, Vectors, unit
from shared.errors import ConfigurationError
from shared.text.reading import Page
from shared.text.words import words_of

SMOOTHING: Final = 3e-5
"""a in the weight a / (a + p). Smaller values silence frequent words more. On reviews that the keyword stage left
undecided, values from 1e-5 to 1e-4 gave the same precision within two points."""
MOST_WORDS: Final = 1000
"""Words of a text that are read, the first ones; later ones hardly move a mean."""
CHUNK: Final = 256
"""Texts embedded at a time, so that the vectors of their words take little memory."""

_PACKAGE: Final = "natasha"
_FILE: Final = Path("data", "emb", "navec_news_v1_1B_250K_300d_100q.tar")
_PROTOCOL: Final = 1
_HEADER: Final = 16
_BYTE: Final = 256
"""Centroids that one byte of an index can name."""


class WordVectors(NamedTuple):
    """Product quantisation: word i has `codes[q, indexes[i, q]]` for each part q of its vector.

    `words` and `counts` have n entries, `indexes` the shape [n, parts], `codes` [parts, centroids, width].
    """

    id: str
    words: list[str]
    counts: NDArray[np.int64]
    indexes: NDArray[np.uint8]
    codes: Vectors


class NavecEncoder:
    """Implements `shared.encoders.encoder.Encoder`. Takes about a second and 80 MB to load.

    A text's vector is the sum of its words' vectors, each times a / (a + p) where p is the word's share of navec's
    own corpus, scaled to length 1: smooth inverse frequency (Arora, Liang, Ma: A Simple but Tough-to-Beat Baseline
    for Sentence Embeddings, ICLR 2017), without their removal of a common component, which needs a corpus of texts
    and did not help. Words are read as the keyword stage reads them; words that navec lacks are left out. Raises
    ConfigurationError where there is no file of vectors, or it cannot be read.
    """

    def __init__(self, path: Path | None = None) -> None:
        vectors = word_vectors(path)
        self.model = f"navec/{vectors.id}"
        self._indexes, self._codes = vectors.indexes, vectors.codes
        self._parts = np.arange(len(vectors.codes))
        self.dimensions: Final = self._codes.shape[0] * self._codes.shape[2]
        self._numbers = word_numbers(vectors)
        shares = vectors.counts / max(int(vectors.counts.sum()), 1)
        self._weights: Vectors = (SMOOTHING / (SMOOTHING + shares)).astype(np.float32)

    def embed(self, texts: Sequence[str], role: Role) -> Vectors:  # noqa: ARG002
        """Rows of length 1, shape [texts, 300]; zeros where no word is known. Words mean the same in both roles."""
        sums = np.zeros((len(texts), self.dimensions), np.float32)
        for start in range(0, len(texts), CHUNK):
            found = words_of(texts[start : start + CHUNK]).first(MOST_WORDS)
            rows_of, vectors = self.weighted(found.distinct)
            places = rows_of[found.numbers]
            known = places >= 0
            rows, starts = np.unique(found.rows[known], return_index=True)
            if len(rows):
                sums[start + rows] = np.add.reduceat(vectors[places[known]], starts, axis=0)
        return unit(sums)

    def weighted(self, words: Sequence[bytes]) -> tuple[NDArray[np.int64], Vectors]:
        """The weighted vectors of those words that are known, and for each word its row in them, or -1."""
        numbers = np.array([self._numbers.get(word, -1) for word in words], np.int64)
        known = numbers[numbers >= 0]
        vectors = self._codes[self._parts, self._indexes[known]].reshape(len(known), self.dimensions)
        vectors *= self._weights[known, None]
        return np.where(numbers < 0, -1, np.cumsum(numbers >= 0) - 1), vectors


def word_vectors(path: Path | None = None) -> WordVectors:
    """The vectors of a file in navec's format, or of the one in the wheel of natasha. Raises ConfigurationError."""
    path = path or _installed()
    try:
        with tarfile.open(path) as tar:
            meta = json.loads(_member(tar, "meta.json").read())
            vocabulary = gzip.decompress(_member(tar, "vocab.bin").read())
            quantised = _member(tar, "pq.bin").read()
        return WordVectors(_id(meta), *_vocabulary(vocabulary), *_quantised(quantised))
    except (OSError, tarfile.TarError, EOFError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"expected navec word vectors (protocol {_PROTOCOL}) in {path}, found: {error!r}. "
            f"Install natasha again ('pip install --force-reinstall {_PACKAGE}') or name another file."
        ) from error


def word_numbers(vectors: WordVectors) -> dict[bytes, int]:
    """The number of each word as a page spells it. Of several spellings (ёлка, елка) the most frequent counts."""
    page = Page(vectors.words)
    frequent_last = np.argsort(vectors.counts, kind="stable").tolist()
    counted = frequent_last[int((vectors.counts == 0).sum()) :]
    spelled = ((page.text(number).split(), number) for number in counted)
    return {words[0]: number for words, number in spelled if len(words) == 1}


def _installed() -> Path:
    """The file of vectors in the wheel of natasha, found without importing it. Raises ConfigurationError."""
    spec = find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / _FILE).is_file():
            return path
    what = f"the package without {_FILE}" if spec else "no such package"
    raise ConfigurationError(
        f"expected word vectors in the package {_PACKAGE!r}, found {what}. "
        f"Install it with 'pip install {_PACKAGE}', or leave the stage 'similarity' out."
    )


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    file = tar.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file")
    return file


def _id(meta: dict[str, object]) -> str:
    if meta["protocol"] != _PROTOCOL:
        raise ValueError(f"protocol {meta['protocol']}")
    return str(meta["id"])


def _vocabulary(raw: bytes) -> tuple[list[str], NDArray[np.int64]]:
    """Words and how often each occurred: a number n, n counts (unsigned 32-bit), n words in lines."""
    size = int(np.frombuffer(raw, "<u4", 1)[0])
    counts = np.frombuffer(raw, "<u4", size, offset=4).astype(np.int64)
    words = raw[4 + 4 * size :].decode().split("\n")
    if len(words) != size:
        raise ValueError(f"{len(words)} words with {size} counts")
    return words, counts


def _quantised(raw: bytes) -> tuple[NDArray[np.uint8], Vectors]:
    """Indexes and codes: four numbers (words, dimensions, parts, centroids), then the two arrays."""
    words, dimensions, parts, centroids = np.frombuffer(raw, "<u4", 4).tolist()
    if centroids > _BYTE:
        raise ValueError(f"{centroids} centroids")
    indexes = np.frombuffer(raw, np.uint8, words * parts, offset=_HEADER).reshape(words, parts)
    codes = np.frombuffer(raw, "<f4", offset=_HEADER + words * parts).reshape(parts, centroids, -1)
    if codes.shape[2] * parts != dimensions:
        raise ValueError(f"{codes.shape[2] * parts} dimensions instead of {dimensions}")
    return indexes, codes
