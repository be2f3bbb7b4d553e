"""What the linear model counts in texts: words, pairs of neighbours, and pieces of words. NumPy and SciPy only.

Texts are read as the keyword stage reads them, so ё, accents and punctuation make no other word. A piece is 2 to 5
characters of a word and the spaces around it. What pieces a word has depends on the word alone: they are looked up
once for each different word of a batch, and a product of sparse matrices counts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from shared.compute.arrays import Int64s
from shared.text.reading import CODEC, Page

SIZES: Final = range(2, 6)
"""Characters of a piece."""
LONGEST: Final = 64
"""Characters of a word that are cut into pieces, the first ones. Longer words are not learnt."""
MOST_CHARACTERS: Final = 2 * LONGEST + 1
"""Of anything that is learnt: a pair of the longest words."""
LEAST_TEXTS: Final = 2
"""Texts in which a word, pair or piece has to occur to be learnt."""
MOST: Final = 60_000
"""Words, and as many pairs and pieces, that are learnt, the most frequent ones: a model must fit many workers."""
CHUNK: Final = 256
CHUNK_CHARACTERS: Final = 200_000
"""Texts, and characters of them, counted at a time: what bounds the memory."""

CountMatrix = Any
"""A `scipy.sparse.csr_array`, which has no types."""


class WordOccurrences(NamedTuple):
    """The words of `texts` texts, one after the other: `rows` says in which text, `numbers` which of `distinct`."""

    texts: int
    distinct: list[bytes]
    rows: Int64s
    numbers: Int64s


class Vocabulary:
    """The columns: words, then pairs as "one other", then pieces.

    Raises ValueError for entries that occur twice, cannot be read, or pairs of other words than its own.
    """

    def __init__(self, words: Sequence[str], pairs: Sequence[str], pieces: Sequence[str]) -> None:
        self.words, self.pairs, self.pieces = tuple(words), tuple(pairs), tuple(pieces)
        self._numbers = _numbered("words", self.words)
        self._pieces = _numbered("pieces", self.pieces)
        _numbered("pairs", self.pairs)
        keys = np.zeros(len(self.pairs), np.int64)
        for at, pair in enumerate(self.pairs):
            try:
                one, other = (self._numbers[word] for word in pair.encode(CODEC).split(b" "))
            except (KeyError, ValueError) as error:
                raise ValueError(f"pairs: expected two of the words, found {pair!r}") from error
            keys[at] = one * len(self.words) + other
        self._pair_columns: Int64s = np.argsort(keys)
        self._pair_keys: Int64s = keys[self._pair_columns]
        self._pieces_of = {word: self._cut(word) for word in self._numbers}

    def __len__(self) -> int:
        return len(self.words) + len(self.pairs) + len(self.pieces)

    def counts(self, texts: Sequence[str]) -> Iterator[tuple[slice, CountMatrix, CountMatrix]]:
        """For each part of the texts: which ones, how often each word and pair, and each piece, occurs in each.

        The matrices have a row for each text of the part.
        """
        for part in parts(texts):
            found = words_of(texts[part])
            cut = [
                known if (known := self._pieces_of.get(word)) is not None else self._cut(word)
                for word in found.distinct
            ]
            yield part, self._words_and_pairs(found), spread(found, cut, len(self.pieces))

    def _words_and_pairs(self, found: WordOccurrences) -> CountMatrix:
        known = np.array([self._numbers.get(word, -1) for word in found.distinct], np.int64)
        numbers = known[found.numbers]
        rows, keys = neighbours(found.rows, numbers, len(self.words))
        places = np.searchsorted(self._pair_keys, keys)
        hits = np.zeros(len(keys), dtype=bool)
        inside = places < len(self._pair_keys)
        hits[inside] = self._pair_keys[places[inside]] == keys[inside]
        columns = self._pair_columns[places[hits]] + len(self.words)
        return counted(
            np.concatenate([found.rows[numbers >= 0], rows[hits]]),
            np.concatenate([numbers[numbers >= 0], columns]),
            (found.texts, len(self.words) + len(self.pairs)),
        )

    def _cut(self, word: bytes) -> Int64s:
        numbers = self._pieces
        return np.array([numbers[piece] for piece in pieces_of(word) if piece in numbers], dtype=np.int32)


def _numbered(what: str, entries: Sequence[str]) -> dict[bytes, int]:
    try:
        numbers = {entry.encode(CODEC): number for number, entry in enumerate(entries)}
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{what}: expected Russian or Latin letters and digits, found {error.object!r}"
        ) from error
    if len(numbers) != len(entries):
        raise ValueError(f"{what}: expected each once, found one of them twice")
    return numbers


def learnt(texts: Sequence[str]) -> Vocabulary:
    """The vocabulary of texts: what occurs in at least LEAST_TEXTS of them, at most MOST of each kind."""
    found = words_of(texts)
    names = [word.decode(CODEC) for word in found.distinct]
    kept = _frequent(_occurs_in(found.rows, found.numbers, len(names)), names)
    renumbered = np.full(len(names), -1)
    renumbered[kept] = np.arange(len(kept))
    words = [names[number] for number in kept]
    rows, keys = neighbours(found.rows, renumbered[found.numbers], len(words))
    distinct, numbers = np.unique(keys, return_inverse=True)
    pairs = [f"{words[key // len(words)]} {words[key % len(words)]}" for key in distinct.tolist()]
    often = _frequent(_occurs_in(rows, numbers, len(pairs)), pairs)
    return Vocabulary(words, [pairs[number] for number in often], _learnt_pieces(texts, found.distinct))


def _learnt_pieces(texts: Sequence[str], distinct: Sequence[bytes]) -> list[str]:
    numbers: dict[bytes, int] = {}
    cut = {
        word: np.array([numbers.setdefault(piece, len(numbers)) for piece in pieces_of(word)], dtype=np.int64)
        for word in distinct
    }
    occurs = np.zeros(len(numbers), dtype=np.int64)
    for part in parts(texts):
        found = words_of(texts[part])
        matrix = spread(found, [cut[word] for word in found.distinct], len(numbers))
        occurs += np.bincount(matrix.indices, minlength=len(numbers))
    names = [piece.decode(CODEC) for piece in numbers]
    return [names[number] for number in _frequent(occurs, names)]


def _occurs_in(rows: Int64s, numbers: Int64s, size: int) -> Int64s:
    """In how many texts each number occurs."""
    distinct = np.unique(rows * max(size, 1) + numbers)
    return np.bincount(distinct % max(size, 1), minlength=size)


def _frequent(occurs: Int64s, names: Sequence[str]) -> list[int]:
    """The numbers of what is frequent enough, in the order of names: it must not depend on the order of texts."""
    often: list[int] = np.flatnonzero(occurs >= LEAST_TEXTS).tolist()
    enough = [number for number in often if len(names[number]) <= MOST_CHARACTERS]
    enough.sort(key=lambda number: (-occurs[number], names[number]))
    return sorted(enough[:MOST], key=names.__getitem__)


def parts(texts: Sequence[str]) -> Iterator[slice]:
    """Where to cut texts into parts that are counted at a time. A text is never cut."""
    start = characters = 0
    for at, text in enumerate(texts):
        if at > start and (at - start == CHUNK or characters + len(text) > CHUNK_CHARACTERS):
            yield slice(start, at)
            start, characters = at, 0
        characters += len(text)
    if start < len(texts):
        yield slice(start, len(texts))


def words_of(texts: Sequence[str]) -> WordOccurrences:
    """The words of texts."""
    page = Page(texts)
    seen: dict[bytes, int] = {}
    numbers: list[int] = []
    ends = []
    for at in range(len(texts)):
        numbers += [seen.setdefault(word, len(seen)) for word in page.text(at).split()]
        ends.append(len(numbers))
    rows = np.repeat(np.arange(len(texts)), np.diff(ends, prepend=0))
    return WordOccurrences(len(texts), list(seen), rows, np.array(numbers, dtype=np.int64))


def pieces_of(word: bytes) -> list[bytes]:
    """Every piece of a word, as often as it occurs."""
    padded = b" " + word[:LONGEST] + b" "
    return [padded[at : at + size] for size in SIZES for at in range(len(padded) - size + 1)]


def neighbours(rows: Int64s, numbers: Int64s, size: int) -> tuple[Int64s, Int64s]:
    """Rows and keys (one * size + other) of words that stand side by side in a text; -1 is no known word."""
    both = (rows[:-1] == rows[1:]) & (numbers[:-1] >= 0) & (numbers[1:] >= 0)
    return rows[:-1][both], (numbers[:-1] * size + numbers[1:])[both]


def counted(rows: Int64s, columns: Int64s, shape: tuple[int, int]) -> CountMatrix:
    """A matrix of how often each column occurs in each row, columns in order."""
    places = rows.astype(np.int32), columns.astype(np.int32)  # liblinear reads no others
    matrix = _sparse((np.ones(len(rows), np.float32), places), shape)
    matrix.sum_duplicates()
    return matrix


def spread(found: WordOccurrences, cut: Sequence[Int64s], size: int) -> CountMatrix:
    """How often each of `size` pieces occurs in each text; `cut` has the pieces of each distinct word."""
    ends = np.cumsum([0, *map(len, cut)]).astype(np.int32)
    columns = np.concatenate([*cut, np.empty(0, np.int64)]).astype(np.int32)
    words = _sparse((np.ones(len(columns), np.float32), columns, ends), (len(cut), size))
    matrix = (counted(found.rows, found.numbers, (found.texts, len(cut))) @ words).tocsr()
    matrix.sort_indices()
    return matrix


def _sparse(content: tuple[Any, ...], shape: tuple[int, int]) -> CountMatrix:
    # Every worker imports this module, and those that serve no linear model do without SciPy.
    from scipy.sparse import csr_array

    return csr_array(content, shape=shape)
