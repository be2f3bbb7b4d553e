"""What the words around a name do to it: negation, comparison, company. Rules of the language only."""

from __future__ import annotations

from typing import Final

from shared.text.reading import CODEC
from shared.text.russian import ABSENCES, COMPANIONS, COMPARISONS, LINKS, NEGATIONS

NEGATED: Final = 0.5
"""What a negated name keeps of its weight: без пояса, ремня нет."""
COMPARED: Final = 0.3
"""What a name keeps that something is only compared with: как у халата, похоже на плащ."""
ACCOMPANYING: Final = 0.6
"""What a name keeps that goes with the thing bought: к платью, под куртку, с джинсами."""

_SPACE: Final = ord(" ")
_LINK: Final = 0.0
_BEFORE: Final = {
    word.encode(CODEC): factor
    for words, factor in (
        (LINKS, _LINK),
        (COMPANIONS, ACCOMPANYING),
        (NEGATIONS, NEGATED),
        (COMPARISONS, COMPARED),
    )
    for word in words
}
_LINKED: Final = frozenset(word.encode(CODEC) for word in LINKS)
_AFTER: Final = tuple(f" {word} ".encode(CODEC) for word in ABSENCES)
TAIL: Final = 3
"""How many bytes before a name, or after it, are enough to see that most names stand in no context."""
TAILS_BEFORE: Final = frozenset((b" " + word)[-TAIL:] for word in _BEFORE)
HEADS_AFTER: Final = frozenset(word[:TAIL] for word in _AFTER)


def in_context(raw: bytes, space: int, end: int) -> float:
    """The factor for a name between the space before it and its end. Punctuation in between ends the context.

    It is 1 unless the bytes before `space` are in TAILS_BEFORE or those from `end` in HEADS_AFTER.
    """
    if raw[space - 1] == _SPACE:
        return NEGATED if raw.startswith(_AFTER, end) else 1.0
    before = raw[raw.rfind(b" ", 0, space) + 1 : space]
    if before in _BEFORE:
        factor = _BEFORE[before]
        if before in _LINKED:
            space -= len(before) + 1
            if _BEFORE.get(raw[raw.rfind(b" ", 0, space) + 1 : space]) == COMPARED:
                return COMPARED
        if factor:
            return factor
    return NEGATED if raw.startswith(_AFTER, end) else 1.0
