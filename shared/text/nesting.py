"""How deep JSON may be nested: a limit of our own, because that of Python depends on who has called whom."""

from __future__ import annotations

from itertools import accumulate
from typing import Final

MAX_DEPTH: Final = 100
"""Objects and arrays that may stand in each other, in a message or in a line of a file."""

_STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_ALL_BUT_BRACKETS: Final = bytes(set(range(256)) - set(_STEPS))


def is_too_deep(data: bytes) -> bool:
    """Whether objects and arrays are nested deeper than `MAX_DEPTH`. Brackets in strings are text."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    # Without escaped quotes, every other part between quotes is a string.
    outside = data.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    brackets = b"".join(outside).translate(None, _ALL_BUT_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > MAX_DEPTH
