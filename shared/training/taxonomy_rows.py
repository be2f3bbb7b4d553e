"""What a taxonomy says of its categories, as short texts to train on: keywords, phrases, hints, modifiers, examples.

Each kind added to the weighted F1 of the linear model, 0.860 without any and 0.875 with all of them; titles and
descriptions did not.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from shared.taxonomy import Taxonomy
from shared.taxonomy.model import RANGE


def own_texts(taxonomy: Taxonomy) -> Iterator[tuple[str, str]]:
    """Slug and text, category by category."""
    for category in taxonomy.categories:
        phrases = (*category.phrases, *category.hints, *category.modifiers)
        for text in chain(
            chain.from_iterable(keyword.word for keyword in category.keywords),
            chain.from_iterable(_spelled(text) for phrase in phrases for text in phrase.phrase),
            category.examples,
        ):
            yield category.slug, text


def _spelled(phrase: str) -> Iterator[str]:
    """A phrase with the ends and the middle of its first range such as {38-64}, and the middle of every other.

    All the numbers would outweigh the words.
    """
    first = RANGE.search(phrase)
    if first is None:
        yield phrase
        return
    low, high = int(first[1]), int(first[2])
    rest = RANGE.sub(lambda found: str((int(found[1]) + int(found[2])) // 2), phrase[first.end() :])
    for number in sorted({low, (low + high) // 2, high}):
        yield f"{phrase[: first.start()]}{number}{rest}"
