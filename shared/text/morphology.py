"""The inflected forms of Russian words, made once when a taxonomy is compiled. Never called per review."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

import pymorphy3

_CYRILLIC = re.compile(r"[а-я]+")
_LEAST_SCORE = 0.05
_SHORTEST = 3
_DEGREES = frozenset(("COMP", "Supr", "Cmp2"))
"""Degrees of comparison are left out: больше and уже mostly are words of their own. List them where wanted."""
_PARTICIPLES = frozenset(("PRTF", "PRTS", "GRND"))
_UNCHANGING = ("PREP", "CONJ", "PRCL", "INTJ", "NPRO", "NUMR")


@cache
def _analyzer() -> Any:
    return pymorphy3.MorphAnalyzer(lang="ru")


@lru_cache(maxsize=20_000)
def known(word: str) -> bool:
    """Whether the dictionary has this word form."""
    return all(_analyzer().word_is_known(part) for part in word.lower().split("-") if part)


@lru_cache(maxsize=50_000)
def forms(word: str, participles: bool = True) -> frozenset[str]:
    """Every inflected form of a word in lower case with е for ё; other scripts stay as they are.

    The word is read as it stands: часы gives the forms of часы, not of час; a plural gives plurals only. Where
    it may be a noun it is a noun, because nouns name products. Prepositions and particles have one form.
    """
    word = word.lower().replace("ё", "е")
    if len(word) < _SHORTEST or not _CYRILLIC.fullmatch(word):
        return frozenset((word,))
    found = {word}
    left_out = _DEGREES if participles else _DEGREES | _PARTICIPLES
    for parse in _readings(word):
        plural_only = (
            "NOUN" in parse.tag and parse.normal_form.replace("ё", "е") != word and "plur" in parse.tag
        )
        for form in parse.lexeme:
            grammemes = form.tag.grammemes
            if (not plural_only or "plur" in grammemes) and not left_out & grammemes:
                found.add(form.word.replace("ё", "е"))
    return frozenset(found)


def _readings(word: str) -> list[Any]:
    """The readings to inflect: nouns before others, the dictionary form before others."""
    readings = [parse for parse in _analyzer().parse(word) if parse.score >= _LEAST_SCORE]
    if any(parse.tag.POS in _UNCHANGING for parse in readings[:1]):
        return []
    nouns = [
        parse
        for parse in readings
        if "NOUN" in parse.tag and not {"Name", "Surn", "Patr"} & parse.tag.grammemes
    ]
    chosen = nouns or readings
    return [parse for parse in chosen if parse.normal_form.replace("ё", "е") == word] or chosen
