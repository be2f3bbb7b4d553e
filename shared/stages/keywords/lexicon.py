"""A taxonomy compiled for the keyword stage, as one automaton; inflected forms come from `shared.text.morphology`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import count, product
from math import prod
from typing import Final, NamedTuple

import ahocorasick_rs

from shared.errors import TaxonomyError
from shared.taxonomy import Category, Taxonomy
from shared.taxonomy.model import HINT_WEIGHT, KEYWORD_WEIGHT, RANGE, Keyword, Phrase
from shared.text.morphology import forms
from shared.text.reading import CODEC, folded

NAME: Final = 0
"""A word that names a product of the category."""
HINT: Final = 1
"""A word that speaks for the category while nothing names another."""
MODIFIER: Final = 2
"""A word that turns the categories its own one overrides into its own one."""

MAX_FORMS: Final = 20_000
"""A phrase with more inflected forms than this is refused: it would fill the memory of every worker."""


_SILENT: Final = -1
_HYPHEN: Final = re.compile(r"(?<=[^\W\d_])[-\u2010\u2011](?=[^\W\d_])")
"""Between two letters: one between numbers is none (30-40)."""


class Term(NamedTuple):
    """One entry of the taxonomy: what it says, for which category (by index), how loudly."""

    id: int
    keyword: str
    category: int
    kind: int
    weight: float


Hit = tuple[int, int, int]
"""Number of a form in its automaton, where the space before it stands in the page, and where it ends."""


class Automaton:
    """Finds every form of a set in a page, the longest at each place, in one pass.

    `terms[number]` is what form `number` says, `spoken[number]` maps categories to the entry that speaks for
    them, `phrases[number]` tells whether it has several words; `words` gives the number of each single word.
    `entry_of[number]` is the first entry of a form and `left_by[entry]` what that leaves, 1 - w: enough where
    all entries speak for one category.
    """

    def __init__(self, entries: dict[str, tuple[Term, ...]]) -> None:
        self.terms = list(entries.values())
        self.entry_of = [terms[0].id if terms else _SILENT for terms in self.terms]
        self.left_by = {term.id: 1.0 - term.weight for terms in self.terms for term in terms} | {_SILENT: 1.0}
        said = {terms: {term.category: term.keyword for term in reversed(terms)} for terms in set(self.terms)}
        self.spoken = [said[terms] for terms in self.terms]
        self.phrases = [" " in form for form in entries]
        self.words = {form.encode(CODEC): number for number, form in enumerate(entries) if " " not in form}
        self._search = ahocorasick_rs.BytesAhoCorasick(
            [b" " + form.encode(CODEC) for form in entries],
            matchkind=ahocorasick_rs.MatchKind.LeftmostLongest,
            implementation=ahocorasick_rs.Implementation.ContiguousNFA,
        )

    def matches(self, raw: bytes) -> list[Hit]:
        """Every match, whether or not it ends where a word ends."""
        found: list[Hit] = self._search.find_matches_as_indexes(raw)
        return found

    def words_within(self, raw: bytes, start: int, end: int) -> Iterator[Hit]:
        """The single words under a match that ended inside a longer word, so that a phrase hides none."""
        for word in raw[start : raw.index(b" ", end)].split():
            start = raw.index(b" " + word, start)
            if word in self.words:
                yield self.words[word], start, start + 1 + len(word)


class TaxonomyForms(NamedTuple):
    """What each form says: `products` those that speak for a product, `rest` those that speak for the none category.

    `vocabulary` holds every word form that occurs in any entry, `none` is the none category's index or -1, and
    `overrides` has for each category those that its modifiers override.
    """

    products: dict[str, tuple[Term, ...]]
    rest: dict[str, tuple[Term, ...]]
    vocabulary: set[bytes]
    none: int
    overrides: tuple[tuple[int, ...], ...]


class Lexicon:
    """The forms of a taxonomy's entries, to be found in texts; its fields are those of `TaxonomyForms`.

    Raises TaxonomyError where a phrase has too many forms.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        found = taxonomy_forms(taxonomy)
        self.slugs = taxonomy.slugs
        self.none, self.overrides, self.vocabulary = found.none, found.overrides, found.vocabulary
        self.products = Automaton(found.products)
        self.rest = Automaton(found.rest)


def taxonomy_forms(taxonomy: Taxonomy) -> TaxonomyForms:
    """The inflected forms of a taxonomy's entries. Raises TaxonomyError where a phrase has too many."""
    slugs = taxonomy.slugs
    none = slugs.index(taxonomy.none_category) if taxonomy.none_category else -1
    vocabulary: set[bytes] = set()
    products, rest, numbers = _Forms(), _Forms(), count()
    for index, category in enumerate(taxonomy.categories):
        target = rest if index == none else products
        for keyword, kind, weight, inflect in _entries(category, index == none):
            term = Term(next(numbers), keyword, index, kind, weight)
            for spelling in spellings(keyword):
                words = alternatives(spelling, inflect)
                target.add(words, term)
                vocabulary.update(form.encode(CODEC) for some in words for form in some)
    for index, category in enumerate(taxonomy.categories):
        for exclusion in category.exclusions:
            (rest if index == none else products).silence(exclusion, index)
    overrides = tuple(tuple(map(slugs.index, category.overrides)) for category in taxonomy.categories)
    return TaxonomyForms(products.settled(), rest.settled(), vocabulary, none, overrides)


class _Forms:
    """Terms under each of their forms, and the forms in which a category's words do not count."""

    def __init__(self) -> None:
        self._terms: dict[str, list[Term]] = defaultdict(list)
        self._silent: dict[str, set[int]] = defaultdict(set)

    def add(self, words: list[frozenset[str]], term: Term) -> None:
        for form in _spelled(words, term.keyword):
            self._terms[form].append(term)

    def silence(self, exclusion: str, category: int) -> None:
        for spelling in spellings(exclusion):
            words = alternatives(spelling, inflect=len(exclusion.split()) > 1)
            for form in _spelled(words, exclusion):
                self._silent[form].add(category)

    def settled(self) -> dict[str, tuple[Term, ...]]:
        """Every form with the terms that count there."""
        shared: dict[tuple[Term, ...], tuple[Term, ...]] = {}
        forms = dict.fromkeys((*self._terms, *self._silent))
        return {form: shared.setdefault(terms, terms) for form in forms for terms in (self._counting(form),)}

    def _counting(self, form: str) -> tuple[Term, ...]:
        """The terms of a form; those of its single words where it is only an exclusion."""
        silent = self._silent.get(form, set())
        terms = [term for term in self._terms.get(form, ()) if term.category not in silent]
        if not terms and silent:
            for word in form.split():
                terms += [term for term in self._terms.get(word, ()) if term.category not in silent]
        best: dict[tuple[int, int], Term] = {}
        for term in terms:
            key = term.category, term.kind
            if key not in best or term.weight > best[key].weight:
                best[key] = term
        return tuple(best.values())


def _entries(category: Category, none: bool) -> Iterator[tuple[str, int, float, bool]]:
    """Keyword, kind, weight and whether to inflect. All that the none category says is a hint."""
    groups: tuple[tuple[tuple[Keyword | Phrase, ...], int, float], ...] = (
        (category.keywords, NAME, KEYWORD_WEIGHT),
        (category.phrases, NAME, KEYWORD_WEIGHT),
        (category.hints, HINT, HINT_WEIGHT),
        (category.modifiers, MODIFIER, KEYWORD_WEIGHT),
    )
    for entries, kind, usual in groups:
        for entry in entries:
            weight = usual if entry.weight is None else entry.weight
            for text in entry.word if isinstance(entry, Keyword) else entry.phrase:
                yield text, HINT if none else kind, weight, entry.inflect


def spellings(text: str) -> tuple[str, ...]:
    """An entry as it is written, where a hyphen is like a space, and with the words beside hyphens as one word."""
    joined = _HYPHEN.sub("", text)
    return (text,) if joined == text else (text, joined)


def alternatives(text: str, inflect: bool) -> list[frozenset[str]]:
    """For each word of an entry the forms it may take in a review."""
    words: list[frozenset[str]] = []
    position = 0
    for found in RANGE.finditer(text):
        words += _inflected(text[position : found.start()], inflect)
        words.append(frozenset(map(str, range(int(found[1]), int(found[2]) + 1))))
        position = found.end()
    return words + _inflected(text[position:], inflect)


def _inflected(text: str, inflect: bool) -> list[frozenset[str]]:
    words = folded(text).split()
    return [forms(word, participles=len(words) == 1) if inflect else frozenset((word,)) for word in words]


def _spelled(words: list[frozenset[str]], entry: str) -> Iterator[str]:
    """Every form of an entry. Between a word and a number one more sign may stand (рост: 170)."""
    if not words:
        return
    found = prod(map(len, words))
    if found > MAX_FORMS:
        message = f"expected at most {MAX_FORMS} inflected forms of a phrase, found {found} for {entry!r}"
        raise TaxonomyError(f"{message}. Shorten it, narrow its ranges, or set inflect: false.")
    numeric = len(words) == 2 and any(form.isdigit() for some in words for form in some)
    for gap in (" ", "  ") if numeric else (" ",):
        yield from map(gap.join, product(*words))
