"""The words of texts, each different one once, with where it occurs: as the keyword stage reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.text.reading import Page


class WordOccurrences(NamedTuple):
    """The words of `texts` texts, one after the other: `rows` says in which text, `numbers` which of `distinct`."""

    texts: int
    distinct: list[bytes]
    rows: NDArray[np.int64]
    numbers: NDArray[np.int64]

    def first(self, most: int) -> WordOccurrences:
        """Those that are among the first `most` of their text."""
        lengths = np.bincount(self.rows, minlength=self.texts)
        if lengths.max(initial=0) <= most:
            return self
        early = np.arange(len(self.rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths) < most
        return self._replace(rows=self.rows[early], numbers=self.numbers[early])


def words_of(texts: Sequence[str]) -> WordOccurrences:
    """The words of texts."""
    page = Page(texts)
    seen: dict[bytes, int] = {}
    numbers: list[int] = []
    lengths = []
    for at in range(len(texts)):
        words = page.text(at).split()
        lengths.append(len(words))
        numbers += [seen.setdefault(word, len(seen)) for word in words]
    rows = np.repeat(np.arange(len(texts)), lengths)
    return WordOccurrences(len(texts), list(seen), rows, np.array(numbers, dtype=np.int64))
