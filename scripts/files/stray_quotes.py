"""Quotes that are parts of texts and swallow rows: what gives them away in a CSV that can be read either way.

Two of them make one legal cell of all that is between, and the form of CSV does not tell that from a long text. What is
between does, where it looks like rows; and other quotes do, which nobody leaves so who quotes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_RUN: Final = re.compile(r"[0-9A-Za-z]+")
_DIGIT: Final = re.compile(r"[0-9]")
_CODE: Final = re.compile(r"(?=.*[0-9A-Za-z])[^А-Яа-яЁё]+")
_SENTENCE: Final = re.compile(r"[.!?()]")
LONGER: Final = 3
"""So many times the length of another word a category may have; a part of a sentence soon has more."""
_DECIMAL: Final = re.compile(r"[0-9],[0-9]")


def lone_quote(delimiter: str) -> re.Pattern[str]:
    """A quote with other characters on both sides. Inside of a quoted cell it is doubled, and any other begins or ends
    one."""
    other = rf'[^"{re.escape(delimiter)}\r\n]'
    return re.compile(rf'(?<={other})"(?={other})')


def holds_rows(lines: Sequence[str], at: int, width: int, delimiter: str, *, quoting: bool) -> bool:
    """Whether the lines of one record, over which its cell `at` goes, look like as many rows.

    A row has as many cells, and one beside the text is of the form of this record's own. Of tabs the number is enough:
    texts have none. Where the others are words, as categories are, or there are none, the file must not be `quoting`
    elsewhere, and all lines must look so: words of that size, and delimiters as programs write them, without spaces.
    """
    raw = [line.rstrip("\r\n").split(delimiter) for line in lines]
    after, last = width - at - 1, len(raw) - 1
    if width == 1:
        return not quoting and all(map(str.strip, lines))
    if len(raw[0]) <= at or len(raw[last]) <= after:
        return False
    own = [*raw[0][:at], *raw[last][len(raw[last]) - after :]]
    for number, cells in enumerate(raw):
        if len(cells) != width or (number == 0 and delimiter == "," and _DECIMAL.search(lines[0])):
            continue
        # The record's own cells are before the text in the first line, and after it in the last one.
        pairs = list(zip([*cells[:at], *cells[at + 1 :]], own, strict=True))
        others = pairs[at if number == 0 else 0 : at if number == last else None]
        if others and (delimiter == "\t" or any(alike(one, mine) for one, mine in others)):
            return True
    if quoting or any(map(_CODE.fullmatch, own)):
        return False
    most = LONGER * max(map(len, own)) + LONGER
    beside = [cell for cells in raw for place, cell in enumerate(cells) if place != at]
    return (
        all(len(cells) == width for cells in raw)
        and all(is_tight(line, delimiter) for line in lines)
        and not any(len(cell) > most or _SENTENCE.search(cell) for cell in beside)
    )


def alike(one: str, other: str) -> bool:
    """Whether two cells are of one form: 12 and 7, shop-12 and shop-7, two UUIDs; or the very same."""
    if one == other or not other.strip():
        return bool(other.strip())
    if _RUN.sub("", one) != _RUN.sub("", other) or not _RUN.search(other):
        return False
    digits = bool(_DIGIT.search(one)), bool(_DIGIT.search(other))
    return digits == (True, True) or (digits == (False, False) and len(one) == len(other))


def is_tight(line: str, delimiter: str) -> bool:
    """Whether no delimiter has a space behind it, or makes a face."""
    return re.search(rf"{re.escape(delimiter)}(?:-?[()]|\s(?!\Z))", line) is None
