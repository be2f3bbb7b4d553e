"""Cells of our CSV files that a spreadsheet would take for a formula: marked when written, unmarked when read.

A customer's text may begin with `=`, and whoever opens the file would run it (CWE-1236). So a `'` goes before such a
cell. Texts that begin so by themselves get one more: what was written is always read back as it was. Numbers stay
numbers. In files of others nothing is unmarked: a `'` there is a part of the text.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n\0＝＋－＠]")
_MARKED: Final = re.compile(r"'+[=+\-@\t\r\n\0＝＋－＠]")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?(?:[eE][+-]?[0-9]+)?")

# Of `otzyv label` and `otzyv predict`; of `otzyv audit draw`.
_OURS: Final = ({"category_slug", "status"}, {"audit", "answer"})


def escaped(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unescaped(text: str) -> str:
    """What was escaped."""
    return text[1:] if _MARKED.match(text) else text


def are_ours(columns: Collection[str]) -> bool:
    """Whether a CSV file with these columns is one that we have written."""
    return any(mark <= set(columns) for mark in _OURS)
