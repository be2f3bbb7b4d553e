"""How reviews stand under a taxonomy, as arrays: what the entries found leave of each category.

The arithmetic is that of `shared.stages.keywords.weighing`, over many reviews at once, so that thousands of entries can
be tried in a second. A test compares the two. Slips of the pen are not looked for here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.compute.arrays import Int64s
from shared.learning.occurrences import Amounts, Occurrences
from shared.stages.keywords.lexicon import HINT, MODIFIER, NAME, Lexicon, Term
from shared.stages.keywords.stage import FLOOR, SHORT, UNKNOWN_WORD, collect
from shared.text.reading import CODEC
from shared.text.russian import LITTLE

ROLES = (NAME, HINT, MODIFIER)


class Weighed(NamedTuple):
    """Of `n` reviews, what is left of doubt: prod(1 - w) over the entries that were found.

    `left` by role, review and category, shape [3, n, categories]; `rest` of the none category, shape [n]; `unknown`
    counts the different words of each review that nobody knows, shape [n].
    """

    left: Amounts
    rest: Amounts
    unknown: Int64s

    def part(self, rows: Int64s) -> Weighed:
        """A copy of some reviews."""
        return Weighed(self.left[:, rows], self.rest[rows], self.unknown[rows])

    def copy(self) -> Weighed:
        """Another one to change."""
        return Weighed(self.left.copy(), self.rest.copy(), self.unknown.copy())


class Sighting(NamedTuple):
    """Where an entry of the taxonomy is found: in which reviews, and what their context leaves of its weight there."""

    term: Term
    rows: Int64s
    factors: Amounts


def sightings(read: Occurrences, lexicon: Lexicon) -> list[Sighting]:
    """Every entry that is found anywhere, once for each form that it is found as best in a review."""
    found: dict[Term, dict[int, float]] = {}
    for automaton in (lexicon.products, lexicon.rest):
        for row, hits in enumerate(collect(read.page, automaton)):
            for form, start, end in hits:
                for term in automaton.terms[form]:
                    factor = 1.0 if term.kind == HINT else read.factor(start, end)
                    places = found.setdefault(term, {})
                    places[row] = max(factor, places.get(row, 0.0))
    return [
        Sighting(term, np.fromiter(places, np.int64), np.fromiter(places.values(), float))
        for term, places in found.items()
    ]


def unknown_words(read: Occurrences, lexicon: Lexicon) -> NDArray[np.bool_]:
    """Which occurrences are of words that nobody knows; each different one of a review at its first place only."""
    known = {word.decode(CODEC) for word in lexicon.vocabulary} | LITTLE
    strange = np.array([len(word) >= SHORT and word not in known for word in read.words], dtype=bool)
    first = np.unique(read.rows * len(read.words) + read.numbers, return_index=True)[1]
    unknown = np.zeros(len(read.numbers), dtype=bool)
    unknown[first] = strange[read.numbers[first]]
    return unknown


def standing(read: Occurrences, lexicon: Lexicon, seen: list[Sighting]) -> Weighed:
    """How the reviews stand under the taxonomy of a lexicon."""
    count = len(read.page.texts)
    left = np.ones((len(ROLES), count, len(lexicon.slugs)))
    rest = np.ones(count)
    for term, rows, factors in seen:
        if term.category == lexicon.none:
            rest[rows] *= 1 - term.weight
        else:
            left[term.kind, rows, term.category] *= 1 - term.weight * factors
    unknown = np.bincount(read.rows[unknown_words(read, lexicon)], minlength=count)
    return Weighed(left, rest, unknown)


class Answers(NamedTuple):
    """The category of each review by its index, -1 for none, and how sure. Shapes [n]."""

    categories: Int64s
    confidences: Amounts


class Judge:
    """Gives the answers of the keyword stage from how reviews stand."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.none = lexicon.none
        self._overrides = {index: list(some) for index, some in enumerate(lexicon.overrides) if some}

    def __call__(self, at: Weighed) -> Answers:
        """One answer for each review."""
        unnamed = at.left[NAME] * at.left[MODIFIER]
        silence = unnamed * at.left[HINT]
        named = unnamed < 1
        for modifying, overridden in self._overrides.items():
            left = at.left[MODIFIER, :, modifying, None]
            for some in (unnamed, silence):
                some[:, overridden] = 1 - (1 - some[:, overridden]) * left
        confidence = (1 - silence) * np.where(named, least_of_others(unnamed), least_of_others(silence))
        best = confidence.argmax(axis=1)
        sure = confidence[np.arange(len(best)), best]
        nothing = (1 - at.rest) * silence.min(axis=1)
        nothing = np.where(nothing >= FLOOR, nothing * UNKNOWN_WORD**at.unknown, 0.0)
        product, none = sure >= FLOOR, (sure < FLOOR) & (nothing >= FLOOR)
        categories = np.where(product, best, np.where(none, self.none, -1))
        return Answers(categories, np.where(product, sure, np.where(none, nothing, 0.0)))


def least_of_others(values: Amounts) -> Amounts:
    """For each place of a row the least value of the other places, 1 where there is no other. Shape as given."""
    if values.shape[1] == 1:
        return np.ones_like(values)
    rows, place = np.arange(len(values)), values.argmin(axis=1)
    least = values[rows, place]
    others = values.copy()
    others[rows, place] = np.inf
    answer = np.repeat(least[:, None], values.shape[1], axis=1)
    answer[rows, place] = others.min(axis=1)
    return answer
