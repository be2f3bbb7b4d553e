"""The whole way from reviews to proposed categories: nouns that name things, their groups, hints, titles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from shared.errors import TaxonomyError
from shared.taxonomy.drafting.contexts import word_rows
from shared.taxonomy.drafting.grouping import NO_GROUPS, group
from shared.taxonomy.drafting.hints import Hints, hints
from shared.taxonomy.drafting.mentions import Mentions, WordNumbers
from shared.taxonomy.drafting.subjects import VectorsOfWords, frequent_nouns
from shared.taxonomy.transliteration import unique_slugs
from shared.text.morphology import plural
from shared.text.russian import MARKETPLACE

LEAST_TEXTS: Final = 200
"""Different reviews that a draft needs: of fewer, hardly a noun occurs twice."""
MOST_WANTED: Final = 40
"""Categories that may be asked for."""
HEAVIEST_HINT: Final = 0.7
"""So that one hint alone is not kept at the usual threshold, and two are."""
IN_TITLE: Final = 3
IN_SLUG: Final = 2
NOTHING: Final = ("other", "прочее")
"""Slug and title of the category for reviews that name nothing."""
PLURAL_TITLE: Final = 0.5
PLURAL_ONLY: Final = 0.9
"""Share of plurals from which a keyword is written as one, and finds plurals only: часы, очки."""


class DraftCategory(NamedTuple):
    """A proposed category: keywords, those of most reviews first, and hints with their weights."""

    slug: str
    title: str
    keywords: list[str]
    hints: dict[str, float]


class Draft(NamedTuple):
    """Proposed categories, the words of reviews that name nothing, and names that fit no category."""

    categories: list[DraftCategory]
    everyday: list[str]
    left: list[str]


def draft(texts: Sequence[str], vectors_of: VectorsOfWords, wanted: int | None = None) -> Draft:
    """Categories for reviews, `wanted` many if the reviews give so many. Raises TaxonomyError.

    The same texts in the same order give the same draft.
    """
    different = len(set(texts))
    if different < LEAST_TEXTS:
        raise TaxonomyError(
            f"expected at least {LEAST_TEXTS} different reviews to draft a taxonomy from, found {different}. "
            "Take a larger file or --sample, or write the first words yourself: docs/taxonomy.md"
        )
    mentions = Mentions(texts)
    nouns = frequent_nouns(mentions, vectors_of)
    found = group(mentions, nouns, word_rows(mentions, nouns), wanted) if nouns.names.any() else NO_GROUPS
    if len(found.groups) < 2:
        raise TaxonomyError(
            f"expected nouns of at least two kinds of things in {len(texts)} reviews, found {len(found.groups)}. "
            "Take more reviews, in Russian, that are about different things"
        )
    names = [nouns.numbers[some] for some in found.groups]
    told = hints(mentions, nouns, names)
    categories = described(mentions, names, told)
    taken = {word for category in categories for word in (*category.keywords, *category.hints)}
    everyday = dict.fromkeys(mentions.lemmas[word].text for word in told.everyday)
    left = [mentions.lemmas[nouns.numbers[at]].text for at in found.left]
    return Draft(categories, [word for word in everyday if word not in taken], left)


def described(mentions: Mentions, names: Sequence[WordNumbers], told: Hints) -> list[DraftCategory]:
    """Groups of names as categories: called by their commonest nouns, each word in one of them."""
    nouns = [[shown(mentions, lemma, PLURAL_TITLE) for lemma in some[:IN_TITLE]] for some in names]
    slugs = unique_slugs((" ".join(some[:IN_SLUG]) for some in nouns), taken=NOTHING[:1])
    titles = [", ".join(some) for some in nouns]
    used: set[str] = set()
    keywords = [worded(mentions, some.tolist(), used) for some in names]
    weights = [
        {mentions.lemmas[hint.lemma].text: round(min(hint.certainty, HEAVIEST_HINT), 1) for hint in some}
        for some in told.of
    ]
    return [
        DraftCategory(
            slug,
            title if titles.count(title) == 1 else f"{title} ({slug})",
            words,
            {word: weight for word, weight in hinted.items() if word not in used},
        )
        for slug, title, words, hinted in zip(slugs, titles, keywords, weights, strict=True)
    ]


def worded(mentions: Mentions, lemmas: Sequence[int], used: set[str]) -> list[str]:
    """Lemmas as keywords, those of most reviews first. Those in `used` are left out, and added."""
    order = sorted(lemmas, key=lambda lemma: -int(mentions.counts[lemma]))
    words = dict.fromkeys(shown(mentions, lemma, PLURAL_ONLY) for lemma in order)
    new = [word for word in words if word not in used]
    used.update(new)
    return new


def shown(mentions: Mentions, lemma: int, share: float) -> str:
    """A lemma as people write it: in the plural where at least this share of its occurrences are plurals."""
    found = mentions.lemmas[lemma]
    return plural(found.text) if mentions.read.mostly_plural(found, share) else found.text


def common_nouns(texts: Sequence[str], most: int) -> dict[str, int]:
    """The nouns of most reviews, without those of buying and praise, each with how many reviews have it."""
    mentions = Mentions(texts)
    frequent = [
        at
        for at in np.argsort(-mentions.counts, kind="stable")
        if mentions.nouns[at] and mentions.counts[at] and mentions.lemmas[at].text not in MARKETPLACE
    ]
    return {shown(mentions, at, PLURAL_TITLE): int(mentions.counts[at]) for at in frequent[:most]}
