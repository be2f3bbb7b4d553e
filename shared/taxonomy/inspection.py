"""Looks a taxonomy file over: the errors that stop it from loading, and the warnings that do not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from shared.taxonomy.complaints import Fault, located
from shared.taxonomy.model import Taxonomy, examine, plain
from shared.taxonomy.source import FieldPath, Problem, read


def check(path: str | Path) -> list[Problem]:
    """Everything to mend in a taxonomy file, in the order of lines; an empty list means none.

    A file that cannot be read is one error at line 1.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        found = f"expected a readable UTF-8 file, found: {error}"
        return [Problem(1, 1, "", found, "Check the name, the rights and the encoding")]
    return check_text(text)


def check_text(text: str) -> list[Problem]:
    """The same for YAML text."""
    taxonomy, problems = examine(text)
    if taxonomy is None:
        return problems
    source = read(text)
    message = "expected keywords, phrases, hints or modifiers, found none"
    doubts: list[Fault] = [
        (("categories", index), message, "The keyword stage can never choose this category")
        for index, category in enumerate(taxonomy.categories)
        if not (category.keywords or category.phrases or category.hints or category.modifiers)
        and category.slug != taxonomy.none_category
    ]
    doubts += [*_shared_words(taxonomy), *_unknown_words(taxonomy)]
    warnings = [located(source, doubt, "warning") for doubt in doubts]
    return sorted(warnings, key=lambda problem: (problem.line, problem.column))


def _words(taxonomy: Taxonomy) -> Iterator[tuple[FieldPath, str, str, bool]]:
    """Place, slug, word, and whether the word has a weight of its own."""
    for index, category in enumerate(taxonomy.categories):
        for number, entry in enumerate(category.keywords):
            for nth, word in enumerate(entry.word):
                place: FieldPath = ("categories", index, "keywords", number, "word", nth)
                yield place, category.slug, word, entry.weight is not None


def _shared_words(taxonomy: Taxonomy) -> Iterator[Fault]:
    seen: dict[str, dict[str, bool]] = {}
    for place, slug, word, weighted in _words(taxonomy):
        owners = seen.setdefault(plain(word), {})
        others = [other for other, also in owners.items() if other != slug and not (weighted and also)]
        if slug in owners:
            yield place, f"expected {word!r} once, found it again in this category", "Delete one of the two"
        elif others:
            message = f"expected {word!r} in one category, found it in {others[0]!r} too"
            yield place, message, "Give it a weight in both, or delete it from one"
        owners[slug] = weighted


_RUSSIAN = re.compile(r"[а-яё-]+", re.IGNORECASE)


def _unknown_words(taxonomy: Taxonomy) -> Iterator[Fault]:
    from shared.text.morphology import known  # here, because loading the dictionary takes 0.1 s

    for place, _, word, _ in _words(taxonomy):
        if _RUSSIAN.fullmatch(word) and not known(word):
            message = f"expected a word of the dictionary, found {word!r}"
            yield place, message, "Fine for slang; otherwise check the spelling"
