"""How fast the keyword stage is, beside two plain ways of finding the same words in the same run.

All three get the same texts in the same chunks, by turns, so that a busy machine slows them alike. The peers
only find words: they weigh nothing, know no context and return no offsets.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pymorphy3

from scripts.bench.turns import Peer, about, chunked, rates
from shared.stages.keywords.stage import KeywordStage
from shared.taxonomy import Taxonomy, default_taxonomy


def run(texts: Sequence[str], seconds: float) -> dict[str, Any]:
    """Reviews per second of each way on one core, over at least `seconds` of wall-clock in all.

    Keys: `ours`, `regex`, `lemmas` (reviews per second), `compile_seconds`, `texts`, `mean_chars`, `chunk`.
    `lemmas` keeps the analysis of every word it has seen, which favours it on repeated texts; ours keeps
    nothing of a text. One unmeasured chunk of each comes first. Raises ValueError where there are no texts.
    """
    chunks, taxonomy = chunked(texts), default_taxonomy()
    before = time.perf_counter()
    stage = KeywordStage(taxonomy)
    compiled = time.perf_counter() - before
    ways: dict[str, Peer] = {
        "ours": stage.answers,
        "regex": _regex(taxonomy),
        "lemmas": _lemmas(taxonomy),
    }
    return {**rates(ways, chunks, seconds), "compile_seconds": compiled, **about(texts)}


def _words(taxonomy: Taxonomy) -> dict[str, str]:
    """Each plain keyword with its category."""
    return {
        word.lower().replace("ё", "е"): category.slug
        for category in taxonomy.categories
        for keyword in category.keywords
        for word in keyword.word
    }


def _regex(taxonomy: Taxonomy) -> Peer:
    """One alternation of the keywords' stems, as a first script would have it."""
    stems = {(word[:-1] if len(word) > 4 else word): slug for word, slug in _words(taxonomy).items()}
    alternation = "|".join(sorted(map(re.escape, stems), key=len, reverse=True))
    pattern = re.compile(rf"\b({alternation})\w{{0,3}}\b")

    def label(texts: Sequence[str]) -> list[str | None]:
        found = (pattern.search(text.lower().replace("ё", "е")) for text in texts)
        return [stems[match[1]] if match else None for match in found]

    return label


def _lemmas(taxonomy: Taxonomy) -> Peer:
    """Every word reduced to its dictionary form and looked up; a word's analysis is kept."""
    words = _words(taxonomy)
    analyzer = pymorphy3.MorphAnalyzer(lang="ru")
    find = re.compile(r"\w+").findall

    @lru_cache(maxsize=200_000)
    def category_of(word: str) -> str | None:
        lemma: str = analyzer.parse(word)[0].normal_form
        return words.get(lemma.replace("ё", "е"))

    def label(texts: Sequence[str]) -> list[list[str]]:
        return [[slug for word in find(text.lower()) if (slug := category_of(word))] for text in texts]

    return label
