"""Cuts a review into plain and matched pieces. The pieces are raw text: the template escapes each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from shared.cascade.stage import Match

SHOWN = 480
LEAD = 80


class Piece(msgspec.Struct, frozen=True):
    """A run of text; `match` is what it matched, None for plain text."""

    text: str
    match: Match | None = None


def pieces(text: str, matches: Sequence[Match], shown: int = SHOWN) -> list[Piece]:
    """Split `text` at its matches; the pieces of a short text, joined, are the text.

    A text of more than `shown` code points is cut to that many, around its first match, with `…` at the cuts.
    Of overlapping matches the first and longest stays; one whose offsets lie outside the text is ignored.
    """
    inside = _apart(match for match in matches if 0 <= match.start < match.end <= len(text))
    first, last = 0, len(text)
    if len(text) > shown:
        first = max(0, inside[0].start - LEAD) if inside and inside[0].end > shown else 0
        last = min(len(text), first + shown)
    found = [Piece("…")] if first else []
    at = first
    for match in inside:
        if match.start < at or match.end > last:
            continue
        if match.start > at:
            found.append(Piece(text[at : match.start]))
        found.append(Piece(text[match.start : match.end], match))
        at = match.end
    if at < last:
        found.append(Piece(text[at:last]))
    return [*found, Piece("…")] if last < len(text) else found


def _apart(matches: Iterable[Match]) -> list[Match]:
    chosen: list[Match] = []
    for match in sorted(matches, key=lambda match: (match.start, -match.end)):
        if not chosen or match.start >= chosen[-1].end:
            chosen.append(match)
    return chosen
