"""Hostile text for a terminal: nothing in it can move the cursor, change colours or turn the direction."""

from __future__ import annotations

import codecs


def escaped(text: str, *, lines: bool = False) -> str:
    """The text with everything that shows nothing by itself as an escape; with `lines`, line breaks are kept."""
    return "".join(
        char if char.isprintable() or (lines and char == "\n") else char.encode("unicode_escape").decode()
        for char in text.encode(errors="backslashreplace").decode()
    )


def decoded(data: bytes, *, cut: bool = False) -> str:
    """Bytes as UTF-8 text, what is none of it as escapes. Where they were cut, half a character at the end goes."""
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    return decoder.decode(data, final=not cut)


def storable(text: str) -> str:
    """The text without bytes that are no UTF-8, as names and arguments may hold: PostgreSQL refuses them."""
    return text.encode(errors="replace").decode()
