"""A review as data inside a prompt: one line, of limited length, without anything that could end the quotation.

Brackets go, and with them every way of writing our markers, the control tokens of chat formats (`<|im_end|>`,
`</s>`, `[INST]`), which servers read inside a message too, and what looks like either. Line breaks go, so that
a review cannot lay itself out as the end of the task and the beginning of another one. Invisible characters go,
among them the ones that spell text nobody sees (U+E0000 to U+E007F) and those that reorder it.
"""

from __future__ import annotations

import unicodedata
from typing import Final

VERSION: Final = 1
"""Raise it with every change of what `quoted` returns: cached answers are kept apart by it."""

_BRACKETS: Final = frozenset("<>‹›〈〉⟨⟩⟪⟫《》❮❯❰❱≺≻˂˃ᐸᐳ[]【】⟦⟧〔〕")
_MOST_PER_CHARACTER: Final = 18
"""The most characters that NFKC makes out of one (UAX 15, table 14)."""


class _Harmless(dict[int, str]):
    """What becomes of a character, by code point; for `str.translate`."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = unicodedata.category(character)
        if character in _BRACKETS or kind == "Cc":
            character = " "
        elif kind[0] == "C":  # format, surrogate, private use, unassigned
            character = ""
        self[code] = character
        return character


_HARMLESS: Final = _Harmless()


def quoted(text: str, limit: int) -> str:
    """`text` as it goes into a prompt: at most `limit` characters, the last one an ellipsis if there were more.

    Compatibility characters are replaced first (NFKC): a full-width bracket is a bracket.
    """
    # Only so much of a very long text can be needed that the work stays bounded.
    start = text[: limit * _MOST_PER_CHARACTER]
    line = " ".join(unicodedata.normalize("NFKC", start).translate(_HARMLESS).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
