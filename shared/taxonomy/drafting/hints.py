"""Words that are no names and still tell categories apart, and those that tell nothing: рукав, звук; цена, спасибо.

They are learned from the reviews that name things of one category only. For a word w and a category c,

    p(c | w)  =  (n(w, c) + STEADINESS p(c)) / (n(w) + STEADINESS)

with n the reviews that have the word; a word is a hint where the odds of p(c | w) are LEAST_ODDS times those of p(c).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.taxonomy.drafting.mentions import Mentions, WordNumbers
from shared.taxonomy.drafting.subjects import Nouns, least_reviews
from shared.text.lemmas import LATIN
from shared.text.russian import MARKETPLACE

STEADINESS: Final = 3.0
LEAST_ODDS: Final = 4.0
LEAST_CERTAINTY: Final = 0.5
LEAST_SURPRISE: Final = 3.0
"""Standard deviations by which the reviews of a hint have to exceed those expected by chance."""
LEAST_NAMED: Final = 3
"""Reviews of a category that a hint has to occur in."""
MOST_HINTS, MOST_EVERYDAY = 25, 150
"""Hints of a category, and words that tell nothing: those of most reviews."""


class Hint(NamedTuple):
    """A word, as the number of a lemma, and p(c | w) above."""

    lemma: int
    certainty: float


class Hints(NamedTuple):
    """The hints of each category, and the frequent words that speak for none."""

    of: list[list[Hint]]
    everyday: list[int]


def hints(mentions: Mentions, nouns: Nouns, names: Sequence[WordNumbers]) -> Hints:
    """Hints for categories that are known by the lemmas which name them."""
    named = named_by(mentions, names)
    words = candidates(mentions, names)
    counts = np.zeros((len(words), len(names) + 1))
    for first, table in mentions.tables(words):
        for category in range(-1, len(names)):
            counts[:, category + 1] += table[named[first : first + len(table)] == category].sum(axis=0)
    sizes = np.bincount(named + 1, minlength=len(names) + 1)
    certainty, tells = certainties(counts, sizes)
    lemmas = [mentions.lemmas[word] for word in words]
    of_buying = np.array([lemma.text in MARKETPLACE for lemma in lemmas], bool)
    tells &= ~of_buying[:, None]
    of = [
        [Hint(int(words[at]), float(certainty[at, c])) for at in np.flatnonzero(tells[:, c])][:MOST_HINTS]
        for c in range(len(names))
    ]
    usual = counts[:, 0] * max(int(sizes[1:].sum()), 1) >= counts[:, 1:].sum(axis=1) * sizes[0]
    usual &= ~np.isin(words, nouns.numbers) & ~tells.any(axis=1)
    usual &= np.array([lemma.part != LATIN for lemma in lemmas], bool)
    return Hints(of, words[usual | of_buying][:MOST_EVERYDAY].tolist())


def certainties(
    counts: NDArray[np.float64], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """p(c | w) for each word and category, and where it makes a hint.

    `counts` says in how many reviews a word occurs, [words, 1 + categories], first of those that name nothing; `sizes`
    how many reviews there are of each.
    """
    of_none, counts = counts[:, :1], counts[:, 1:]
    base = sizes[1:] / max(int(sizes[1:].sum()), 1)
    total = counts.sum(axis=1, keepdims=True)
    certainty = (counts + STEADINESS * base) / (total + STEADINESS)
    odds = certainty / np.maximum(1.0 - certainty, 1e-9)
    surprise = (counts - total * base) / np.sqrt(np.maximum(total * base * (1.0 - base), 1e-9))
    tells = (odds >= LEAST_ODDS * base / np.maximum(1.0 - base, 1e-9)) & (surprise >= LEAST_SURPRISE)
    tells &= (certainty >= LEAST_CERTAINTY) & (counts >= LEAST_NAMED)
    # What is commoner where nothing is named is of deliveries and disputes, whatever is delivered.
    tells &= counts * max(int(sizes[0]), 1) >= of_none * np.maximum(sizes[1:], 1)
    return certainty, tells


def candidates(mentions: Mentions, names: Sequence[WordNumbers]) -> WordNumbers:
    """Frequent words that name nothing, those of most reviews first."""
    order = np.argsort(-mentions.counts, kind="stable")
    order = order[mentions.counts[order] >= least_reviews(mentions)]
    return order[~np.isin(order, np.concatenate([np.zeros(0, np.int64), *names]))]


def named_by(mentions: Mentions, names: Sequence[WordNumbers]) -> NDArray[np.int64]:
    """The one category whose names each review has; -1 where it has none or those of several."""
    category = np.full(len(mentions.lemmas), -1)
    for number, some in enumerate(names):
        category[some] = number
    of = category[mentions.numbers]
    rows, of = mentions.rows[of >= 0], of[of >= 0]
    lowest = np.full(mentions.reviews, len(names))
    highest = np.full(mentions.reviews, -1)
    np.minimum.at(lowest, rows, of)
    np.maximum.at(highest, rows, of)
    return np.where(lowest == highest, highest, -1)
