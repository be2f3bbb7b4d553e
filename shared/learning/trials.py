"""What may be tried on a taxonomy: new words and phrases, other weights, exclusions; and what each does to reviews."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.compute.arrays import Int64s
from shared.learning.candidates import Candidate
from shared.learning.occurrences import Amounts, Occurrences
from shared.learning.weighed import Sighting
from shared.stages.keywords.lexicon import HINT, MODIFIER, NAME, Lexicon, Term
from shared.stages.keywords.stage import collect
from shared.taxonomy import Taxonomy
from shared.taxonomy.edits import EXCLUSIONS, entries

NONE_WEIGHTS: Final = (0.1, 0.3, 0.5, 0.8)
"""Of words that name no product; with the first they are hardly more than known."""
NAME_WEIGHTS: Final = (0.9,)
HINT_WEIGHTS: Final = (0.4, 0.6, 0.85)
MODIFIER_WEIGHTS: Final = (0.85,)
OTHER_WEIGHTS: Final = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
"""Of entries that are there."""
LEAST_RIGHT: Final = 2
"""Labels of its category that a new entry has to be found in."""
LEAST_SHARE: Final = 0.3
"""Share of the labels it is found in that have to be of its category."""
EntryName = tuple[str, str, int]
"""Field, text and category of an entry that is there; of a new one its text: it may become one entry only."""
_NOWHERE: Final = np.zeros(0, dtype=np.int64)


class Trial(msgspec.Struct, frozen=True, eq=False):
    """One change of a taxonomy, and what it does.

    `name` is the same for the same entry whatever its field and weight, `sort` is word, phrase, weight or exclusion,
    `entry` its field and text. `ratio` is what it does to what is left of doubt in the role `role` of its category in
    the reviews `rows`; `at` and `places` are occurrences of its words, as places in `rows` and numbers of occurrences,
    since they become known.
    """

    sort: str
    weight: float | None
    category: int
    entry: tuple[str, str]
    before: float | None
    role: int
    rows: Int64s
    ratio: Amounts
    at: Int64s = _NOWHERE
    places: Int64s = _NOWHERE

    @property
    def name(self) -> EntryName:
        """What may be changed once."""
        return ("new", self.entry[1], -1) if self.is_new else (*self.entry, self.category)

    @property
    def is_new(self) -> bool:
        """Whether it adds a word or phrase."""
        return self.sort in ("word", "phrase")

    def among(self, chosen: NDArray[np.bool_]) -> Trial:
        """The same in some of the reviews."""
        keep = chosen[self.rows]
        if keep.all():
            return self
        there = keep[self.at]
        return msgspec.structs.replace(
            self,
            rows=self.rows[keep],
            ratio=self.ratio[keep],
            at=(np.cumsum(keep) - 1)[self.at[there]],
            places=self.places[there],
        )


class Marks(msgspec.Struct, frozen=True):
    """What the stage finds where in the reviews: terms by place in the page, and the occurrences under its phrases."""

    terms: dict[tuple[int, int], set[Term]]
    hidden: dict[bool, NDArray[np.bool_]]


def seen(read: Occurrences, lexicon: Lexicon) -> Marks:
    """Where the stage finds what; `hidden` is by whether the none category's words are meant."""
    terms: dict[tuple[int, int], set[Term]] = defaultdict(set)
    hidden = {which: np.zeros(len(read.numbers), dtype=bool) for which in (False, True)}
    spaces = read.spaces.tolist()
    for none, automaton in ((False, lexicon.products), (True, lexicon.rest)):
        for hits in collect(read.page, automaton):
            for form, start, end in hits:
                terms[start, end].update(automaton.terms[form])
                if automaton.phrases[form]:
                    hidden[none][bisect_left(spaces, start) : bisect_left(spaces, end)] = True
    return Marks(terms, hidden)


def new_entries(
    read: Occurrences, lexicon: Lexicon, there: Marks, found: list[Candidate], truth: Int64s
) -> Iterator[Trial]:
    """Every candidate as an entry of every category that enough of its labels are of, with each usual weight."""
    for one in found:
        size = one.text.count(" ") + 1
        firsts, rows = one.places[::size], one.at[::size]
        spans = zip(
            read.spaces[firsts].tolist(), read.ends[one.places[size - 1 :: size]].tolist(), strict=True
        )
        taken = {term.category for span in spans for term in there.terms.get(span, ())}
        for category in range(len(lexicon.slugs)):
            none = category == lexicon.none
            visible = np.zeros(len(one.rows), dtype=bool)
            visible[rows[~there.hidden[none][firsts]]] = True
            if category in taken or not enough(truth[one.rows[visible]] == category):
                continue
            for field, role, weight in shapes(one, none, bool(lexicon.overrides[category])):
                factors = 1.0 if role == HINT else one.factors
                ratio = np.where(visible, 1 - weight * factors, 1.0)
                sort = "phrase" if size > 1 else "word"
                yield Trial(
                    sort, weight, category, (field, one.text), None, role, one.rows, ratio, one.at, one.places
                )


def enough(right: NDArray[np.bool_]) -> bool:
    """Whether labels speak for a category at all."""
    return bool(right.sum() >= max(LEAST_RIGHT, LEAST_SHARE * len(right)))


def shapes(one: Candidate, none: bool, overriding: bool) -> Iterator[tuple[str, int, float]]:
    """Field, role and weight that a new entry may have."""
    groups: list[tuple[str, int, tuple[float, ...]]] = [
        ("hints", HINT, NONE_WEIGHTS if none else HINT_WEIGHTS)
    ]
    if not none:
        groups.append(("phrases" if " " in one.text else "keywords", NAME, NAME_WEIGHTS))
    if overriding:
        groups.append(("modifiers", MODIFIER, MODIFIER_WEIGHTS))
    return ((field, role, weight) for field, role, weights in groups for weight in weights)


def other_weights(taxonomy: Taxonomy, entry_sightings: list[Sighting]) -> Iterator[Trial]:
    """Every entry that is found with each other weight."""
    written = [
        (index, field)
        for index, category in enumerate(taxonomy.categories)
        for field, *_ in entries(category)
    ]
    for term, unsorted, factors in entry_sightings:
        order = np.argsort(unsorted)
        rows, kept = unsorted[order], 1 - term.weight * factors[order]
        category, field = written[term.id]
        for weight in OTHER_WEIGHTS:
            if abs(weight - term.weight) > 1e-9:
                ratio = (1 - weight * factors[order]) / kept
                yield Trial(
                    "weight", weight, category, (field, term.keyword), term.weight, term.kind, rows, ratio
                )


def exclusions(
    read: Occurrences, lexicon: Lexicon, there: Marks, found: list[Candidate], wrong: Int64s
) -> Iterator[Trial]:
    """Phrases around a word of a category that is wrong about reviews: it would not count inside of them.

    `wrong` is the category that each review is wrongly said to be of, -1 where there is none. A word counts on where it
    also stands outside of the phrase.
    """
    spans: dict[tuple[int, Term], int] = defaultdict(int)
    rows_of = np.searchsorted(read.page.starts, [start + 1 for start, _ in there.terms], "right") - 1
    for row, terms in zip(rows_of.tolist(), there.terms.values(), strict=True):
        for term in terms:
            spans[row, term] += 1
    for one in found:
        errors = wrong[one.rows]
        for category in sorted(set(errors[errors >= 0].tolist()) - {lexicon.none}):
            if (errors == category).sum() >= LEAST_RIGHT:
                yield from silenced(read, there, one, category, spans)


def silenced(
    read: Occurrences, there: Marks, one: Candidate, category: int, spans: dict[tuple[int, Term], int]
) -> Iterator[Trial]:
    """A phrase as an exclusion of a category, where it has one of its words."""
    size = one.text.count(" ") + 1
    inside: dict[tuple[int, Term], int] = defaultdict(int)
    for place, at in zip(one.places.tolist(), one.at.tolist(), strict=True):
        span = int(read.spaces[place]), int(read.ends[place])
        for term in there.terms.get(span, ()) if size > 1 else ():
            if term.category == category:
                inside[at, term] += 1
    roles = {term.kind for _, term in inside}
    if len(roles) != 1:
        return
    ratio = np.ones(len(one.rows))
    for (at, term), count in inside.items():
        if count == spans[int(one.rows[at]), term]:
            factor = 1.0 if term.kind == HINT else one.factors[at]
            ratio[at] /= 1 - term.weight * factor
    if (ratio > 1).any():
        yield Trial("exclusion", None, category, (EXCLUSIONS, one.text), None, roles.pop(), one.rows, ratio)
