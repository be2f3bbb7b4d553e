"""From nouns to groups of nouns: a tree by likeness, cut where most groups have their own share of the reviews."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering

from shared.taxonomy.drafting.mentions import FloatRows, Mentions, WordNumbers
from shared.taxonomy.drafting.subjects import Nouns, nearness
from shared.text.diminutives import bases

SHARE, LEAST_NAMED = 0.005, 5
"""Least share of the reviews, and least number, that name any of a group's nouns, for the group to be a category."""
MOST_CATEGORIES: Final = 12
"""Categories at most, where nobody asks for more: a person has to keep them apart."""
MOST_CUTS: Final = 80
UNLIKE: Final = 0.08
"""Mean cosine of two groups below which they stay apart. Unrelated nouns have about 0, for their mean is taken off."""
LEAST_LIKENESS, DOUBTFUL_LIKENESS = 0.1, 0.2
"""How near a name has to be to a group to join it, and a noun that may be none."""


class Grouping(NamedTuple):
    """Groups of nouns, as positions in the list of nouns, and those nouns that name things and lie near no group."""

    groups: list[list[int]]
    left: list[int]


NO_GROUPS: Final = Grouping([], [])


def group(mentions: Mentions, nouns: Nouns, rows: FloatRows, wanted: int | None) -> Grouping:
    """Groups of nouns, those of most reviews first; `wanted` many, if the nouns give so many."""
    texts = [mentions.lemmas[number].text for number in nouns.numbers]
    small = bases(texts, [text for text, name in zip(texts, nouns.names, strict=True) if name])
    whole = np.array([text not in small for text in texts], bool)
    seeds = np.flatnonzero(nouns.names & whole & rows.any(axis=1))
    counts = mentions.counts[nouns.numbers]
    least = max(LEAST_NAMED, SHARE * mentions.reviews)
    cut = best_cut(rows[seeds], counts[seeds] / least, wanted)
    groups = [seeds[cut == number].tolist() for number in range(cut.max(initial=-1) + 1)]
    groups = [some for some in groups if counts[some].sum() >= least]
    groups.sort(key=lambda some: -int(counts[some].sum()))
    left = join(groups, rows, seeds, LEAST_LIKENESS)
    join(groups, rows, np.flatnonzero(nouns.doubtful & whole), DOUBTFUL_LIKENESS)
    place = {texts[at]: some for some in groups for at in some}
    for at, text in enumerate(texts):
        if text in small and small[text] in place:
            place[small[text]].append(at)
    return Grouping(groups, left)


def best_cut(rows: FloatRows, shares: NDArray[np.float64], wanted: int | None) -> WordNumbers:
    """The group of each row in the tree of average linkage, cut where groups are no longer alike.

    Of the cuts from there upwards that with the most groups of a share of 1 in sum, the coarsest of several. With
    `wanted`, of all cuts that with so many such groups, or with the most below that.
    """
    if len(rows) < 2:
        return np.zeros(len(rows), np.int64)
    tree = AgglomerativeClustering(2, metric="cosine", linkage="average", compute_distances=True).fit(rows)
    alike = int((tree.distances_ > 1.0 - UNLIKE).sum()) + 1
    most_cuts = min(len(rows), MOST_CUTS if wanted else alike)
    cuts = [tree.set_params(n_clusters=groups).fit_predict(rows) for groups in range(1, most_cuts + 1)]
    large = [int((np.bincount(cut, weights=shares) >= 1.0).sum()) for cut in cuts]
    allowed = [at for at, count in enumerate(large) if count <= (wanted or MOST_CATEGORIES)]
    best: WordNumbers = cuts[max(allowed, key=lambda at: (large[at], -at))]
    return best


def join(groups: Sequence[list[int]], rows: FloatRows, candidates: WordNumbers, least: float) -> list[int]:
    """Put nouns that are in no group into the nearest one, if it is near; those for which none is near are left."""
    if not groups:
        return list(map(int, candidates))
    taken = {at for some in groups for at in some}
    free = [at for at in candidates.tolist() if at not in taken]
    near = np.stack([nearness(rows[free] @ rows[some].T) for some in groups], axis=1)
    left = []
    for at, likeness in zip(free, near, strict=True):
        if likeness.max(initial=0.0) >= least:
            groups[int(likeness.argmax())].append(at)
        else:
            left.append(at)
    return left
