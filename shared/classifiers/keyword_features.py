"""What a taxonomy's entries say of a text, as numbers that the linear model reads beside its words.

Four for each of k categories, from what the keyword stage finds there: how loudly all entries speak for it, how loudly
its names do, how loudly the first entry of the text does, and ln(1 + hits). Then ln(1 + words), ln(1 + strange words)
and the share of strange ones, which no entry has. So a model knows inflected words that no training review had.

The forms travel with the model: neither another taxonomy nor another dictionary of inflections changes its answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
import numpy as np

from shared.compute.arrays import Float32s, Float64s
from shared.stages.keywords.lexicon import Automaton, Hit, Term, taxonomy_forms
from shared.stages.keywords.stage import SHORT, collect
from shared.stages.keywords.weighing import doubts, strength
from shared.taxonomy import Taxonomy
from shared.text.reading import CODEC, Page
from shared.text.russian import LITTLE
from shared.text.words import WordOccurrences

PER_CATEGORY: Final = 4
PER_TEXT: Final = 3
LOUDNESS: Final = 0.5
"""Scale of what is told of a category, beside rows of TF-IDF of length 1. With 0.2 or 1 weighted F1 differed by 0.004
or less (five folds of the LLM's labels outside gold)."""
LENGTH: Final = 0.3
"""Scale of what is told of the whole text."""
MOST_FORMS: Final = 2_000_000
MOST_CATEGORIES: Final = 10_000

_Number = Annotated[int, msgspec.Meta(ge=0, le=MOST_FORMS)]
_Category = Annotated[int, msgspec.Meta(ge=0, lt=MOST_CATEGORIES)]
_Kind = Annotated[int, msgspec.Meta(ge=0, le=2)]
_Weight = Annotated[float, msgspec.Meta(ge=0, lt=1)]
_FormNumbers = Annotated[dict[str, _Number], msgspec.Meta(max_length=MOST_FORMS)]


class Spoken(msgspec.Struct, frozen=True, array_like=True):
    """One entry, by number: for which category it speaks, as what (name, hint, modifier), how loudly."""

    entry: _Number
    category: _Category
    kind: _Kind
    weight: _Weight


class KeywordForms(msgspec.Struct, frozen=True):
    """keywords.json: every form of a taxonomy's entries, and which of `said` it says.

    `products`, `rest`, `none` and `overrides` are those of `shared.stages.keywords.lexicon.TaxonomyForms`.
    """

    said: tuple[tuple[Spoken, ...], ...]
    products: _FormNumbers
    rest: _FormNumbers
    none: Annotated[int, msgspec.Meta(ge=-1, lt=MOST_CATEGORIES)]
    overrides: Annotated[tuple[tuple[_Category, ...], ...], msgspec.Meta(max_length=MOST_CATEGORIES)]


def forms_of(taxonomy: Taxonomy) -> KeywordForms:
    """The forms of a taxonomy. Raises TaxonomyError where a phrase has too many."""
    found = taxonomy_forms(taxonomy)
    numbers: dict[tuple[Term, ...], int] = {}
    products, rest = (
        {form: numbers.setdefault(terms, len(numbers)) for form, terms in some.items()}
        for some in (found.products, found.rest)
    )
    said = tuple(
        tuple(Spoken(term.id, term.category, term.kind, term.weight) for term in terms) for terms in numbers
    )
    return KeywordForms(said, products, rest, found.none, found.overrides)


class KeywordFeatures:
    """Gives texts their numbers, `width` each, with k categories in the order of the taxonomy that `forms` come from.

    Raises ValueError where forms cannot be written in the code page of reviews, or name what is not there.
    """

    def __init__(self, forms: KeywordForms, categories: int) -> None:
        self.forms: Final = forms
        self.width: Final = PER_CATEGORY * categories + PER_TEXT
        self._categories = categories
        check(forms, categories)
        said = [
            tuple(Term(one.entry, "", one.category, one.kind, one.weight) for one in some)
            for some in forms.said
        ]
        self._products, self._rest = (
            Automaton({form: said[number] for form, number in some.items()})
            for some in (forms.products, forms.rest)
        )
        words = {word for some in (forms.products, forms.rest) for form in some for word in form.split()}
        self._known = {word.encode(CODEC) for word in words | {*LITTLE}}

    def of(self, texts: Sequence[str], found: WordOccurrences) -> Float32s:
        """The numbers of texts, [texts, width]; `found` are their words."""
        loud = np.zeros((len(texts), PER_CATEGORY, self._categories))
        page = Page(texts)
        hits, rest = collect(page, self._products), collect(page, self._rest)
        for row, some in zip(loud, hits, strict=True):
            if some:
                self._tell(row, page.raw, some)
        if self.forms.none >= 0:
            loud[:, 0, self.forms.none] = [strength(some, self._rest) if some else 0.0 for some in rest]
        loud[:, 3] = np.log1p(loud[:, 3])
        told = np.hstack(
            [
                LOUDNESS * loud.reshape(len(texts), PER_CATEGORY * self._categories),
                LENGTH * self._lengths(found),
            ]
        )
        return told.astype(np.float32)

    def _tell(self, row: Float64s, raw: bytes, hits: list[Hit]) -> None:
        """Fill a text's numbers, [PER_CATEGORY, categories]."""
        terms = self._products.terms
        for place, left in enumerate(doubts(raw, hits, terms, self.forms.overrides)):
            for category, share in left.items():
                row[place, category] = 1.0 - share
        for _, _, category, _, weight in terms[hits[0][0]]:
            row[2, category] = max(row[2, category], weight)
        for form, _, _ in hits:
            for term in terms[form]:
                row[3, term.category] += 1.0

    def _lengths(self, found: WordOccurrences) -> Float64s:
        strange = np.array([len(word) >= SHORT and word not in self._known for word in found.distinct], bool)
        words = np.bincount(found.rows, minlength=found.texts)
        pairs = np.unique(found.rows * max(len(found.distinct), 1) + found.numbers)
        rows, numbers = np.divmod(pairs, max(len(found.distinct), 1))
        odd = np.bincount(rows[strange[numbers]], minlength=found.texts)
        lengths: Float64s = np.stack([np.log1p(words), np.log1p(odd), odd / np.maximum(words, 1)], axis=1)
        return lengths


def check(forms: KeywordForms, categories: int) -> None:
    named = {one.category for some in forms.said for one in some} | {forms.none}
    named |= {category for some in forms.overrides for category in some}
    if len(forms.overrides) != categories or max(named) >= categories:
        raise ValueError(f"expected forms for {categories} categories, found others")
    if max((*forms.products.values(), *forms.rest.values()), default=-1) >= len(forms.said):
        raise ValueError(f"expected forms that say one of {len(forms.said)} things, found another")
    for form in (*forms.products, *forms.rest):
        if not form.strip():
            raise ValueError("expected forms with letters or digits, found an empty one")
        try:
            form.encode(CODEC)
        except UnicodeEncodeError as error:
            raise ValueError(f"expected Russian or Latin letters and digits, found {form[:40]!r}") from error
