"""Texts as the keyword stage reads them: small letters, е for ё, a space for what is no letter or digit.

A page is a whole batch in one run of bytes, one byte per character, so that one pass finds the words of all
its texts. Offsets in the page lead back to the original texts.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

CODEC: Final = "cp1251"
"""One byte for each Cyrillic or Latin letter, digit and usual sign, so case folds in one table look-up."""
GAP: Final = "    "
"""Between two texts of a page; wider than any gap inside a phrase, so no phrase spans two texts."""
_GAP: Final = GAP.encode()

_TABLE: Final = b"".join(
    char.lower().replace("ё", "е").encode(CODEC) if char.isalnum() else b" "
    for char in (bytes((code,)).decode(CODEC, "replace") for code in range(256))
)
_NEEDS_CARE: Final = re.compile(
    "[^\\W_\x00-\x7fЁ-ѓїіјљњћќўџҐґ]|\\w[\xad\u0300-\u036f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]+\\w"
)
"""A letter outside the code page, or characters that nobody sees inside a word."""


class Page:
    """A batch as bytes, with a gap before, between and after its texts.

    `starts[i]` is where text `i` begins, with one more entry at the end. `detours` holds, for texts whose
    length had to change, where each folded character stands in the original.
    """

    __slots__ = ("detours", "raw", "starts", "texts")

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.detours: dict[int, list[int]] = {}
        joined, self.starts = _joined(texts)
        encoded = joined.encode(CODEC, "replace")
        odd = _odd_texts(joined, encoded, self.starts)
        careful = [index for index in odd if _NEEDS_CARE.search(texts[index])]
        if careful:
            folded = list(texts)
            for index in careful:
                folded[index], self.detours[index] = _fold_with_care(texts[index])
            joined, self.starts = _joined(folded)
            encoded = joined.encode(CODEC, "replace")
        self.raw: bytes = encoded.translate(_TABLE)

    def part(self, indexes: Sequence[int]) -> Page:
        """A page of some of the texts."""
        part = Page.__new__(Page)
        part.texts = [self.texts[index] for index in indexes]
        part.detours = {at: self.detours[index] for at, index in enumerate(indexes) if index in self.detours}
        pieces = [self.text(index) for index in indexes]
        part.starts = _starts(pieces)
        part.raw = _GAP + _GAP.join(pieces) + _GAP
        return part

    def text(self, index: int) -> bytes:
        """The folded text `index`."""
        return self.raw[self.starts[index] : self.starts[index + 1] - len(GAP)]


def folded(text: str) -> str:
    """One text as a page holds it, without outer or double spaces; for keywords."""
    page = Page((text,))
    return " ".join(page.raw.decode(CODEC).split())


def _joined(texts: Sequence[str]) -> tuple[str, list[int]]:
    return f"{GAP}{GAP.join(texts)}{GAP}", _starts(texts)


def _starts(texts: Sequence[str | bytes]) -> list[int]:
    """Where each text begins, and where one more would."""
    return list(accumulate([len(text) + len(GAP) for text in texts], initial=len(GAP)))


def _odd_texts(joined: str, raw: bytes, starts: list[int]) -> list[int]:
    """Texts that hold a character outside the code page, or a soft hyphen. `raw` is `joined`, encoded."""
    found: list[int] = []
    for sign, shown in ((b"?", "?"), (b"\xad", "")):
        at = raw.find(sign)
        while at >= 0:
            if joined[at] != shown:
                index = bisect_right(starts, at) - 1
                found.append(index)
                at = starts[index + 1] - 1
            at = raw.find(sign, at + 1)
    return found


def _fold_with_care(text: str) -> tuple[str, list[int]]:
    """Character by character: unseen characters vanish, accents join their letter. Also the way back."""
    letters: list[str] = []
    offsets: list[int] = []
    for index, char in enumerate(text):
        if unicodedata.category(char) in ("Mn", "Me", "Cf"):
            if char == "\u0306" and letters and letters[-1] in "иИ":
                letters[-1] = "й"
            continue
        # Where the code page lacks the accented letter, the one without its accent.
        plain = char if char.encode(CODEC, "ignore") else unicodedata.normalize("NFKD", char)[0]
        letters.append(plain)
        offsets.append(index)
    return "".join(letters), offsets
