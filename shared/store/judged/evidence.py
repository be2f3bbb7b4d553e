"""Evidence as rows hold it: a match is `[start, end, keyword]`, and what follows from the rest is left out.

Its word is the piece of the text, its category the verdict's own unless a fourth value names another: a quarter of the
bytes that objects with names take, which rows of before schema 0019 have still. Named values stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.cascade.stage import Match

Evidence = tuple[Match, ...] | Mapping[str, Any]


def narrowed(evidence: Evidence, category: str | None) -> object:
    """The evidence of a verdict for a category, to be written as JSON."""
    if isinstance(evidence, Mapping):
        return evidence
    return [
        (one.start, one.end, one.keyword)
        if one.category == category
        else (one.start, one.end, one.keyword, one.category)
        for one in evidence
    ]


def widened(found: Any, category: str | None, text: str) -> Any:
    """Stored evidence as objects with names, which people are shown; `text` is what was judged."""
    if not isinstance(found, list):
        return found
    return [_named(*one, text=text, own=category) if isinstance(one, list) else one for one in found]


def _named(
    start: int, end: int, keyword: str, category: str | None = None, *, text: str, own: str | None
) -> dict[str, Any]:
    return {
        "word": text[start:end],
        "start": start,
        "end": end,
        "keyword": keyword,
        "category": category or own,
    }
