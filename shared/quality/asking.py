"""Which of the waiting reviews a dear stage is asked about first, where it cannot be asked about all: pure functions.

An answer is worth most where the guess is unsure (uncertainty sampling: Lewis and Gale, "A Sequential Algorithm for
Training Text Classifiers", SIGIR 1994), where many other reviews are alike (information density: Settles and Craven,
"An Analysis of Active Learning Strategies for Sequence Labeling Tasks", EMNLP 2008), where few labels of the category
are known, and where it is not certified yet. Reviews that are nearly the same as one chosen before come behind all
others: what they teach is known by then (diversity of a batch, as in Ash et al., "Deep Batch Active Learning by
Diverse, Uncertain Gradient Lower Bounds", ICLR 2020, here by a distance that must be kept).

Never only these. A set share of the places goes to a uniform random sample of all that wait, drawn before anything
else is chosen, so that what is learnt from it holds for the whole and mistakes that the guesses are sure of are found.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from shared.compute.arrays import Bools, Float64s, Int64s
from shared.encoders.encoder import Vectors

SHARE: Final = 0.2
"""Of the places, those for the random sample."""
ALIKE: Final = 0.9
"""Cosine from which two reviews are nearly the same."""
DENSITY: Final = 0.25
"""Power of the mean cosine with all that wait. Of 0, 0.25 and 0.5 none was better than the others by more than seeds
differ, in the simulation of `tests.benchmarks.asking_order`; with 1 a chain's coverage at 0.95 was 0.01 lower."""
NEED: Final = 0.25
"""Power of how much rarer than the mean a category's labels are. Neither gain nor loss could be measured."""
CERTIFIED: Final = 0.5
"""Worth of an answer in a category that is certified already, where it is 1 in others. Not measured."""
LEAST_DENSITY: Final = 1e-3
PORTION: Final = 2_000
"""Reviews among which near-duplicates are kept apart: whoever asks for more learns in between."""
BLOCK: Final = 512
"""Reviews that are compared at a time."""


class Pool(NamedTuple):
    """The n reviews that wait.

    `categories` are guesses, None without one; `confidences` [n] are theirs, 0 to 1, NaN without one; `vectors`
    [n, d] are rows of length 1, or of zeros where nothing in a text is known.
    """

    categories: Sequence[str | None]
    confidences: Float64s
    vectors: Vectors


class AskingOrder(NamedTuple):
    """Whom to ask, first ones first: positions in the pool, and which of them were drawn at random.

    `probability` is that with which every review of the pool was drawn at random. What was not drawn was chosen for
    its worth, and has none. Any beginning of the order holds its share of the random ones, uniform as well.
    """

    order: Int64s
    at_random: Bools
    probability: float


def choose(
    pool: Pool,
    wanted: int,
    labels: Mapping[str, int],
    certified: Collection[str] = (),
    *,
    share: float = SHARE,
    seed: int = 0,
) -> AskingOrder:
    """The order in which up to `wanted` reviews are asked about; the same for the same seed.

    `labels` says how many labels each category has that taught the guesses, `certified` which are certified. Of the
    places, `share` (0 to 1, rounded up) is drawn at random; all of them while nobody has guessed anything.
    """
    n = len(pool.confidences)
    wanted = min(wanted, n)
    if wanted <= 0:
        return AskingOrder(np.empty(0, np.int64), np.empty(0, np.bool_), 0.0)
    if np.isnan(pool.confidences).all():
        share = 1.0
    drawn = math.ceil(share * wanted - 1e-9)
    sample = np.random.default_rng(seed).choice(n, drawn, replace=False)
    value = worth(pool, labels, certified)
    value[sample] = -np.inf
    best = np.argsort(-value, kind="stable")[: n - drawn]
    order, at_random = np.empty(wanted, np.int64), np.zeros(wanted, np.bool_)
    at_random[np.arange(drawn) * wanted // max(drawn, 1)] = True
    order[at_random] = sample
    order[~at_random] = _apart(pool.vectors, best, sample, wanted - drawn)
    return AskingOrder(order, at_random, drawn / n)


def worth(pool: Pool, labels: Mapping[str, int], certified: Collection[str] = ()) -> Float64s:
    """What an answer about each review is worth, [n], from 0; only the order has a meaning.

    (1 - confidence) * density ** DENSITY * (mean count of labels / (count + 1)) ** NEED, less where certified. Density
    is the mean cosine with all that wait. Where nobody has guessed, the confidence is 0, and no category counts.
    """
    mean = sum(labels.values()) / max(len(labels), 1) + 1
    need = {name: (mean / (count + 1)) ** NEED for name, count in labels.items()}
    unseen = mean**NEED
    of_category = {
        name: need.get(name, unseen) * (CERTIFIED if name in certified else 1.0)
        for name in {*pool.categories}
        if name is not None
    }
    factors: Float64s = np.array([1.0 if one is None else of_category[one] for one in pool.categories])
    unsure = 1 - np.nan_to_num(pool.confidences, nan=0.0)
    found: Float64s = unsure * _density(pool.vectors) ** DENSITY * factors
    return found


def _density(vectors: Vectors) -> Float64s:
    """The mean cosine of each with all of them. Texts of which nothing is known are alike, and unlike others."""
    unknown = ~np.any(vectors, axis=1)
    # The mean of the products is the product with the mean.
    cosines = (vectors @ vectors.mean(axis=0, dtype=np.float64)).astype(np.float64)
    cosines[unknown] = unknown.mean()
    found: Float64s = np.maximum(cosines, LEAST_DENSITY)
    return found


def _apart(vectors: Vectors, best: Int64s, chosen: Int64s, wanted: int) -> Int64s:
    """The first `wanted` of `best` without near-duplicates of each other and of `chosen`, which come last."""
    order: list[int] = []
    near = chosen[:PORTION]
    while len(order) < wanted:
        size = min(PORTION, wanted - len(order))
        taken, late = _portion(vectors, best, near, size)
        order += taken
        best, near = late, np.empty(0, np.int64)
        if len(taken) < size:  # all that is left is alike
            order += late[: wanted - len(order)].tolist()
    return np.array(order, np.int64)


def _portion(vectors: Vectors, best: Int64s, near: Int64s, size: int) -> tuple[list[int], Int64s]:
    """Up to `size` of `best` that are apart from each other and from `near`, and the others in their order."""
    taken: list[int] = near.tolist()
    late: list[int] = []
    for start in range(0, len(best), BLOCK):
        block = best[start : start + BLOCK]
        free: Bools = ~np.any(_alike(vectors, block, np.array(taken, np.int64)), axis=1)
        pairs = _alike(vectors, block, block)
        for at in range(len(block)):
            if len(taken) - len(near) == size:
                return taken[len(near) :], np.concatenate([np.array(late, np.int64), best[start + at :]])
            if free[at]:
                taken.append(int(block[at]))
                free[at + 1 :] &= ~pairs[at, at + 1 :]
            else:
                late.append(int(block[at]))
    return taken[len(near) :], np.array(late, np.int64)


def _alike(vectors: Vectors, some: Int64s, others: Int64s) -> Bools:
    """Which of some [a] are nearly the same as which of others [b], shape [a, b]."""
    one, other = vectors[some], vectors[others]
    blank = np.outer(~one.any(axis=1), ~other.any(axis=1))
    flags: Bools = (one @ other.T >= ALIKE) | blank
    return flags
