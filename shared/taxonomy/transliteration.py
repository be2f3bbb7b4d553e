"""Slugs: names in Russian written in small Latin letters, as the names of categories for programs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

LETTERS: Final = str.maketrans(
    {
        **dict(zip("абвгдезийклмнопрстуфыэ", "abvgdeziyklmnoprstufye", strict=True)),
        "ё": "e", "ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ь": "", "ю": "yu",
        "я": "ya",
    }
)  # fmt: skip
"""The common part of BGN/PCGN romanisation (1947): one spelling for each letter, whatever stands around it."""
LONGEST: Final = 64
_OTHER: Final = re.compile(r"[^a-z0-9]+")


def slug(name: str) -> str:
    """A name as a slug: `носки, колготки` as `noski_kolgotki`. What is no letter or digit becomes `_`."""
    latin = _OTHER.sub("_", name.lower().translate(LETTERS)).strip("_")
    return (latin if latin[:1].isalpha() else f"c_{latin}")[:LONGEST].strip("_")


def unique_slugs(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """A slug for each name; where two would be the same, the later one gets a number."""
    found: list[str] = []
    used = set(taken)
    for name in names:
        wish = slug(name)
        free, number = wish, 2
        while free in used:
            ending = f"_{number}"
            free, number = wish[: LONGEST - len(ending)] + ending, number + 1
        used.add(free)
        found.append(free)
    return found
