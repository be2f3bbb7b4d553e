"""Which words a sample of reviews mentions, as dictionary forms, and what can be counted of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.text.lemmas import LATIN, Lemma, lemmas
from shared.text.reading import CODEC
from shared.text.russian import LITTLE
from shared.text.words import words_of

WordNumbers = NDArray[np.int64]
FloatRows = NDArray[np.float32]

TELLING: Final = frozenset(("NOUN", "ADJF", "ADJS", "VERB", "INFN", "PRTF", "PRTS", LATIN))
"""Parts of speech that may say what a review is about."""
SHORTEST: Final = 3
"""Shorter words are sizes, measures and slips."""
MOST_WORDS: Final = 200
"""Words of a review that are read, the first ones."""
CHUNK: Final = 2_000
"""Reviews whose words are laid out as a table at a time: with 2,000 words 16 MB."""


class Mentions:
    """The words of reviews. `lemmas[i]` is a dictionary form, `spelled[i]` the forms that it had, `reviews` how many.

    `rows` and `numbers` hold one entry for each review and different telling word in it, in the order of the words:
    the review, and the number of the lemma.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.reviews = len(texts)
        found = words_of(texts).first(MOST_WORDS)
        words = [word.decode(CODEC) for word in found.distinct]
        counts = np.bincount(found.numbers, minlength=len(words)).tolist()
        self.read = lemmas(words, counts)
        places: dict[Lemma, int] = {}
        of_word = np.array([places.setdefault(lemma, len(places)) for lemma in self.read.of], np.int64)
        self.lemmas = list(places)
        self.spelled: list[list[str]] = [[] for _ in places]
        for word, place in zip(words, of_word.tolist(), strict=True):
            self.spelled[place].append(word)
        telling = np.array([tells(lemma) for lemma in self.lemmas], bool)
        self.rows, self.numbers = distinct_pairs(found.rows, of_word[found.numbers], telling)

    @cached_property
    def counts(self) -> WordNumbers:
        """In how many reviews each lemma occurs."""
        return np.bincount(self.numbers, minlength=len(self.lemmas))

    def number_of(self, noun: str) -> int | None:
        """The number of a noun, if it occurs."""
        return self._nouns.get(noun)

    @cached_property
    def _nouns(self) -> dict[str, int]:
        return {lemma.text: at for at, lemma in enumerate(self.lemmas) if lemma.part == "NOUN"}

    @cached_property
    def nouns(self) -> NDArray[np.bool_]:
        """Which lemmas are nouns."""
        return np.array([lemma.part == "NOUN" and tells(lemma) for lemma in self.lemmas], bool)

    def beginnings(self) -> tuple[WordNumbers, NDArray[np.float64]]:
        """How often each noun is the first of its review, and how often it would be if any of the nouns might be it.

        Of a review with n different nouns each is expected first 1/n times. Reviews with a single noun tell nothing.
        """
        of_nouns = self.nouns[self.numbers]
        rows, numbers = self.rows[of_nouns], self.numbers[of_nouns]
        nouns = np.bincount(rows, minlength=self.reviews)
        rows, numbers = rows[nouns[rows] > 1], numbers[nouns[rows] > 1]
        size = len(self.lemmas)
        expected = np.bincount(numbers, weights=1.0 / nouns[rows], minlength=size)
        _, starts = np.unique(rows, return_index=True)
        first: WordNumbers = np.bincount(numbers[starts], minlength=size).astype(np.int64)
        return first, expected.astype(np.float64)

    def tables(self, numbers: WordNumbers) -> Iterator[tuple[int, FloatRows]]:
        """Chunks of the reviews: the first one's row, and whether each has some lemmas, 0 or 1 [reviews, lemmas]."""
        column = np.full(len(self.lemmas), -1)
        column[numbers] = np.arange(len(numbers))
        bounds = np.searchsorted(self.rows, np.arange(0, self.reviews + CHUNK, CHUNK))
        for chunk, (start, end) in enumerate(pairwise(bounds.tolist())):
            first = chunk * CHUNK
            table = np.zeros((min(CHUNK, self.reviews - first), len(numbers)), np.float32)
            columns = column[self.numbers[start:end]]
            kept = columns >= 0
            table[self.rows[start:end][kept] - first, columns[kept]] = 1.0
            yield first, table

    def together(self, some: WordNumbers, others: WordNumbers) -> FloatRows:
        """In how many reviews each of some lemmas occurs beside each of others; shape [some, others]."""
        counts = np.zeros((len(some), len(others)), np.float32)
        for (_, table), (_, other) in zip(self.tables(some), self.tables(others), strict=True):
            counts += table.T @ other
        return counts


def tells(lemma: Lemma) -> bool:
    """Whether a word may say what a review is about."""
    return lemma.part in TELLING and len(lemma.text) >= SHORTEST and lemma.text not in LITTLE


def distinct_pairs(
    rows: WordNumbers, numbers: WordNumbers, wanted: NDArray[np.bool_]
) -> tuple[WordNumbers, WordNumbers]:
    """Review and lemma of each wanted mention, each pair once, where it comes first."""
    kept = wanted[numbers]
    rows, numbers = rows[kept], numbers[kept]
    _, first = np.unique(rows * len(wanted) + numbers, return_index=True)
    first.sort()
    return rows[first], numbers[first]
