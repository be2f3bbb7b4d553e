"""Which nouns name what reviews are about.

A review says early what it is about (Куртка тёплая, рукава длинные), so the name of a thing is the first noun of its
review more often than by chance: куртка twice as often, рукав less. Words of buying and praise come first too; those
are in `shared.text.russian`, and what lies clearly nearer to them than to names is left out with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.taxonomy.drafting.mentions import FloatRows, Mentions, WordNumbers
from shared.text.russian import MARKETPLACE

LEAST_LIFT: Final = 1.15
"""How much more often than by chance a noun is the first one, to name a thing for sure. On 8,297 reviews of clothes,
shoes, headphones and household goods nearly all names of goods had 1.3 to 2.5, and of their parts 0 to 1."""
STEADINESS: Final = 1.0
"""Expected reviews with a lift of 1 that are added to those of each noun, so that a rare one has to earn its own."""
LEAST_REVIEWS, LEAST_SHARE = 2, 0.0005
"""A word that occurs in a smaller share of the reviews, or in fewer reviews, is left to the editor."""
MOST_NOUNS: Final = 1_000
NEAREST: Final = 3
"""Nouns whose mean cosine says how near a noun is to a set of them."""
CLEARLY: Final = 0.05
"""How much nearer a noun has to be to words of buying and praise than to names, to be one of them."""

VectorsOfWords = Callable[[Sequence[str]], FloatRows]
"""From words to rows of length 1, or of zeros for those without a vector."""


class Nouns(NamedTuple):
    """The frequent nouns of reviews, as numbers of lemmas, those of most reviews first.

    `rows[i]` is the vector of `numbers[i]`; `names` tells which of them name things, `doubtful` which others might, for
    all that these reviews tell.
    """

    numbers: WordNumbers
    rows: FloatRows
    names: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]


def least_reviews(mentions: Mentions) -> int:
    """In how many reviews a word has to occur to count."""
    return max(LEAST_REVIEWS, round(LEAST_SHARE * mentions.reviews))


def frequent_nouns(mentions: Mentions, vectors_of: VectorsOfWords) -> Nouns:
    """The nouns that occur often enough, without those of buying and praise."""
    everyday = [at for noun in sorted(MARKETPLACE) if (at := mentions.number_of(noun)) is not None]
    frequent = mentions.nouns & (mentions.counts >= least_reviews(mentions))
    frequent[everyday] = False
    found = np.flatnonzero(frequent)
    found = found[np.argsort(-mentions.counts[found], kind="stable")][:MOST_NOUNS]
    first, expected = (counted[found] + STEADINESS for counted in mentions.beginnings())
    names = first / expected >= LEAST_LIFT
    doubtful = ~names & (first + np.sqrt(first) >= LEAST_LIFT * expected)
    rows = vectors_of([spelled(mentions, at) for at in found.tolist()])
    alien = vectors_of([spelled(mentions, at) for at in everyday])
    among = rows @ rows[names].T
    among[np.flatnonzero(names), np.arange(among.shape[1])] = -1.0
    own = nearness(among) >= nearness(rows @ alien.T) - CLEARLY
    return Nouns(found[own], rows[own], names[own], doubtful[own])


def spelled(mentions: Mentions, lemma: int) -> str:
    """The forms of a lemma that occur, as a text whose vector is that of the word in all its forms."""
    return " ".join(mentions.spelled[lemma])


def nearness(cosines: FloatRows) -> FloatRows:
    """How near each row is to the columns: the mean of its highest cosines; shape [rows]."""
    if not cosines.shape[1]:
        return np.zeros(len(cosines), np.float32)
    nearest: FloatRows = np.sort(cosines, axis=1)[:, -NEAREST:].mean(axis=1)
    return nearest
