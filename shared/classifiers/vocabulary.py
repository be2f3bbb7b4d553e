"""What the linear model counts in texts: words, pairs of neighbours, and pieces of words. NumPy and SciPy only.

Texts are read as the keyword stage reads them, so ё, accents and punctuation make no other word. A piece is 2 to 5
characters of a word and the spaces around it. What pieces a word has depends on the word alone: they are looked up
once for each different word of a batch, and a product of sparse matrices counts them. A piece fits into one number of
64 bits, so that all pieces of many words are looked up at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.compute.arrays import Int64s
from shared.text.reading import CODEC
from shared.text.words import WordOccurrences, words_of

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


class Counts(NamedTuple):
    """A part of texts: which ones, their words, and how often each word and pair, and each piece, occurs in each.

    The matrices have a row for each text of the part.
    """

    part: slice
    found: WordOccurrences
    words: CountMatrix
    pieces: CountMatrix


class Vocabulary:
    """The columns: words, then pairs as "one other", then pieces.

    Raises ValueError for entries that occur twice, cannot be read, or pairs of other words than its own.
    """

    def __init__(self, words: Sequence[str], pairs: Sequence[str], pieces: Sequence[str]) -> None:
        self.words, self.pairs, self.pieces = tuple(words), tuple(pairs), tuple(pieces)
        self._numbers = _numbered("words", self.words)
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
        # What is no piece, in a file from elsewhere, gets the number of none.
        coded = _numbered("pieces", self.pieces)
        numbers = [int.from_bytes(piece, "big") if len(piece) in SIZES else -1 for piece in coded]
        spelled: Int64s = np.array(numbers, np.int64)
        self._piece_columns: Int64s = np.argsort(spelled)
        self._piece_keys: Int64s = spelled[self._piece_columns]
        self._pieces_of: CountMatrix = self._cut(list(self._numbers))

    def __len__(self) -> int:
        return len(self.words) + len(self.pairs) + len(self.pieces)

    def counts(self, texts: Sequence[str]) -> Iterator[Counts]:
        """What occurs how often, for each part of the texts."""
        for part in parts(texts):
            found = words_of(texts[part])
            known = np.array([self._numbers.get(word, -1) for word in found.distinct], np.int64)
            # Words that are known have been cut already; they come first.
            own, strange = np.flatnonzero(known >= 0), np.flatnonzero(known < 0)
            cut = stacked(self._pieces_of[known[own]], self._cut([found.distinct[at] for at in strange]))
            places = np.argsort(np.concatenate([own, strange]))
            words = counted(found.rows, places[found.numbers], (found.texts, len(known)))
            yield Counts(part, found, self._words_and_pairs(found, known), words @ cut)

    def _words_and_pairs(self, found: WordOccurrences, known: Int64s) -> CountMatrix:
        numbers = known[found.numbers]
        rows, keys = neighbours(found.rows, numbers, len(self.words))
        places, there = _places(self._pair_keys, keys)
        columns = self._pair_columns[places] + len(self.words)
        return counted(
            np.concatenate([found.rows[numbers >= 0], rows[there]]),
            np.concatenate([numbers[numbers >= 0], columns]),
            (found.texts, len(self.words) + len(self.pairs)),
        )

    def _cut(self, words: Sequence[bytes]) -> CountMatrix:
        """How often each piece occurs in each word; a piece that occurs twice has two entries."""
        keys, ends = pieces_of(words)
        places, there = _places(self._piece_keys, keys)
        ends = np.concatenate([[0], np.cumsum(there)])[ends]
        return pieced(self._piece_columns[places], ends, len(self.pieces))


def _places(keys: Int64s, wanted: Int64s) -> tuple[Int64s, NDArray[np.bool_]]:
    """Where in sorted keys those of the wanted ones are that are there, and which ones these are."""
    if not len(keys):
        return np.empty(0, np.int64), np.zeros(len(wanted), np.bool_)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    there = keys[places] == wanted
    return places[there], there


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
    return Vocabulary(words, [pairs[number] for number in often], _learnt_pieces(texts, found))


def _learnt_pieces(texts: Sequence[str], found: WordOccurrences) -> list[str]:
    keys, ends = pieces_of(found.distinct)
    distinct, columns = np.unique(keys, return_inverse=True)
    cut = pieced(columns, ends, len(distinct))
    occurs = np.zeros(len(distinct), dtype=np.int64)
    for part in parts(texts):
        mine = slice(*np.searchsorted(found.rows, (part.start, part.stop)))
        shape = part.stop - part.start, len(found.distinct)
        matrix = counted(found.rows[mine] - part.start, found.numbers[mine], shape) @ cut
        occurs += np.bincount(matrix.indices, minlength=len(distinct))
    names = [key.to_bytes(8, "big").lstrip(b"\0").decode(CODEC) for key in distinct.tolist()]
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


def pieces_of(words: Sequence[bytes]) -> tuple[Int64s, Int64s]:
    """Every piece of each word, as often as it occurs, as numbers; those of word i are at `ends[i]:ends[i + 1]`."""
    padded = [b" " + word[:LONGEST] + b" " for word in words]
    lengths = np.array([len(word) for word in padded], np.int64)
    letters = np.frombuffer(b"".join(padded), np.uint8).astype(np.int64)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(letters))
    keys = np.zeros((len(letters), len(SIZES)), np.int64)
    run = letters
    for column, size in enumerate(SIZES):
        run = (run[:-1] << 8) | letters[size - 1 :]
        keys[: len(run), column] = run
    whole = left[:, None] >= np.array(SIZES)
    ends = np.concatenate([[0], np.cumsum(whole.sum(axis=1))])[np.concatenate([[0], np.cumsum(lengths)])]
    return keys[whole], ends


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


def pieced(columns: Int64s, ends: Int64s, size: int) -> CountMatrix:
    """A matrix with a row for each word: those of word i are at `ends[i]:ends[i + 1]` of `columns`."""
    content = np.ones(len(columns), np.float32), columns.astype(np.int32), ends.astype(np.int32)
    return _sparse(content, (len(ends) - 1, size))


def stacked(upper: CountMatrix, lower: CountMatrix) -> CountMatrix:
    """The rows of both."""
    indices = np.concatenate([upper.indices, lower.indices])
    data = np.concatenate([upper.data, lower.data])
    ends = np.concatenate([upper.indptr, upper.indptr[-1] + lower.indptr[1:]])
    return _sparse((data, indices, ends), (len(ends) - 1, upper.shape[1]))


def _sparse(content: tuple[Any, ...], shape: tuple[int, int]) -> CountMatrix:
    # Every worker imports this module, and those that serve no linear model do without SciPy.
    from scipy.sparse import csr_array

    return csr_array(content, shape=shape)
