"""The forms of Russian words, from the dictionary form and back to it. Never called per review."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

import pymorphy3

_CYRILLIC = re.compile(r"[а-я]+")
_LEAST_SCORE = 0.05
_SHORTEST = 3
_DEGREES = frozenset(("COMP", "Supr", "Cmp2"))
"""Degrees of comparison are left out: больше and уже mostly are words of their own. List them where wanted."""
_PARTICIPLES = frozenset(("PRTF", "PRTS", "GRND"))
_NAMES = frozenset(("Name", "Surn", "Patr", "Geox", "Abbr", "Init"))
_LIVING: Final = 0.3
"""What a reading as a living being or a name keeps of its likelihood."""
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


class FormReading(NamedTuple):
    """One way to read a word form: its dictionary form with е for ё, its part of speech, its number, how likely.

    `part` is pymorphy's (`NOUN`, `ADJF`, `VERB`), or `NAME` for people and places; `number` is `sing`, `plur` or "".
    """

    lemma: str
    part: str
    number: str
    score: float


def readings(word: str) -> list[FormReading]:
    """The ways to read a word form, the likeliest last; none for a word that the dictionary lacks.

    Things go before living beings and names, because reviews are about things: синтетика is not of a синтетик.
    """
    if not known(word):
        return []
    found: dict[tuple[str, str, str], FormReading] = {}
    for parse in _analyzer().parse(word):
        name = bool(_NAMES & parse.tag.grammemes)
        key = (
            parse.normal_form.replace("ё", "е"),
            "NAME" if name else str(parse.tag.POS),
            str(parse.tag.number or ""),
        )
        score = parse.score * (_LIVING if name or "anim" in parse.tag.grammemes else 1.0)
        if key not in found or score > found[key].score:
            found[key] = FormReading(*key, score)
    return sorted(found.values(), key=lambda reading: reading.score)


def plural(noun: str) -> str:
    """The plural of a noun's dictionary form: тапочки for тапочка; the noun itself where it has none."""
    for parse in _analyzer().parse(noun):
        if "NOUN" in parse.tag and parse.normal_form.replace("ё", "е") == noun.replace("ё", "е"):
            found = parse.inflect({"plur", "nomn"})
            return str(found.word).replace("ё", "е") if found else noun
    return noun


@lru_cache(maxsize=50_000)
def base(word: str) -> str:
    """The dictionary form under which an entry finds this word, or the word itself where that does not find it."""
    word = word.lower().replace("ё", "е")
    if len(word) < _SHORTEST or not _CYRILLIC.fullmatch(word):
        return word
    for parse in _readings(word):
        found: str = parse.normal_form.replace("ё", "е")
        return found if word in forms(found) else word
    return word
