"""The words of reviews with where they stand and what the words around do to them: as the keyword stage reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.compute.arrays import Int64s
from shared.stages.keywords.context import HEADS_AFTER, TAIL, TAILS_BEFORE, in_context
from shared.text.reading import CODEC, Page

Amounts = NDArray[np.float64]

_WORD = re.compile(rb"[^ ]+")


class Occurrences:
    """Every word of every text, in order. All arrays have one entry for each.

    `words[numbers[i]]` is what stands there, `rows[i]` is the text, `spaces[i]` and `ends[i]` are places in the page,
    as `shared.stages.keywords` has them, and `follows[i]` says whether the word before stands side by side with it.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.page = Page(texts)
        seen: dict[bytes, int] = {}
        found = [(match.start(), match.end()) for match in _WORD.finditer(self.page.raw)]
        numbers = [seen.setdefault(self.page.raw[start:end], len(seen)) for start, end in found]
        self.words = [word.decode(CODEC) for word in seen]
        self.numbers: Int64s = np.array(numbers, dtype=np.int64)
        places = np.array(found, dtype=np.int64).reshape(-1, 2)
        self.spaces: Int64s = places[:, 0] - 1
        self.ends: Int64s = places[:, 1]
        self.rows: Int64s = np.searchsorted(self.page.starts, places[:, 0], "right") - 1
        self.follows: NDArray[np.bool_] = np.zeros(len(found), dtype=bool)
        self.follows[1:] = self.spaces[1:] == self.ends[:-1]

    def factor(self, space: int, end: int) -> float:
        """What the words around leave of the weight of a name between these places of the page."""
        raw = self.page.raw
        if raw[space - TAIL : space] in TAILS_BEFORE or raw[end : end + TAIL] in HEADS_AFTER:
            return in_context(raw, space, end)
        return 1.0
