"""Weighs what was found in one review: which category, and how sure.

Entries i with weights w_i speak for category c, each entry once:

    strength of its names    n_c = 1 - prod(1 - w_i)   over keywords, phrases and modifiers
    strength of all          s_c = 1 - prod(1 - w_i)   over these and the hints
    confidence of c              = s_c * (1 - strongest rival)

Rivals of a category that is named are the names of others; rivals of one that is only hinted at are all
that speaks for others. Modifiers of strength m leave 1 - m of the categories that they override.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

from shared.stages.keywords.context import HEADS_AFTER, TAIL, TAILS_BEFORE, in_context
from shared.stages.keywords.lexicon import HINT, MODIFIER, Automaton, Hit, Lexicon, Term

Balance = tuple[int, float, float]
"""The best category by index, how sure, and the strength of the strongest category whatever its rivals."""

Terms = Sequence[tuple[Term, ...]]
"""What each form says, by its number."""
Overrides = Sequence[tuple[int, ...]]
"""For each category those that its modifiers override."""

_HALF: Final = 0.5


def weigh(raw: bytes, hits: list[Hit], lexicon: Lexicon) -> Balance:
    """Weighs the hits of one review."""
    terms = lexicon.products.terms
    if len(hits) == 1 and len(terms[hits[0][0]]) == 1:
        # A single entry: most reviews name their product once, and have no rivals.
        form, start, end = hits[0]
        term = terms[form][0]
        weight = term.weight if term.kind == HINT else term.weight * in_context(raw, start, end)
        return term.category, weight, weight
    counted, silence, unnamed = _tally(raw, hits, terms)
    if len(unnamed) == 1 or len(silence) == 1:
        # A single name with a strength of one half or more cannot lose: rivals keep less than the other half.
        category = next(iter(unnamed or silence))
        strength = 1.0 - silence[category]
        if strength >= _HALF or len(silence) == 1:
            return category, strength, strength
    _override(hits, terms, counted, (silence, unnamed), lexicon.overrides)
    return _compare(silence, unnamed)


def doubts(
    raw: bytes, hits: list[Hit], terms: Terms, overrides: Overrides
) -> tuple[dict[int, float], dict[int, float]]:
    """What all entries, and what names alone, leave in doubt: prod(1 - w_i) by category, modifiers counted."""
    counted, silence, unnamed = _tally(raw, hits, terms)
    _override(hits, terms, counted, (silence, unnamed), overrides)
    return silence, unnamed


def _tally(
    raw: bytes, hits: list[Hit], terms: Terms
) -> tuple[dict[int, float], dict[int, float], dict[int, float]]:
    """The weight of each entry in its context; what all and what names leave: prod(1 - w_i) by category."""
    counted: dict[int, float] = {}
    silence: dict[int, float] = {}
    unnamed: dict[int, float] = {}
    for form, start, end in hits:
        for number, _, category, kind, weight in terms[form]:
            name = kind != HINT
            if name and (raw[start - TAIL : start] in TAILS_BEFORE or raw[end : end + TAIL] in HEADS_AFTER):
                weight *= in_context(raw, start, end)
            left = 1.0 - weight
            if number in counted:
                if weight <= counted[number]:
                    continue
                left /= 1.0 - counted[number]
            counted[number] = weight
            silence[category] = silence.get(category, 1.0) * left
            if name:
                unnamed[category] = unnamed.get(category, 1.0) * left
    return counted, silence, unnamed


def _override(
    hits: list[Hit],
    terms: Terms,
    counted: dict[int, float],
    both: tuple[dict[int, float], dict[int, float]],
    overrides: Overrides,
) -> None:
    """Modifiers of strength m leave 1 - m of the strength of the categories that theirs override."""
    modifiers = {
        term.id: term.category for form, _, _ in hits for term in terms[form] if term.kind == MODIFIER
    }
    unmodified: dict[int, float] = {}
    for number, category in modifiers.items():
        unmodified[category] = unmodified.get(category, 1.0) * (1.0 - counted[number])
    for modifying, left in unmodified.items():
        for category in overrides[modifying]:
            for strengths in both:
                if category in strengths:
                    strengths[category] = 1.0 - (1.0 - strengths[category]) * left


def _compare(silence: dict[int, float], unnamed: dict[int, float]) -> Balance:
    """The category with the highest s * (1 - rival); the first one of equals."""
    best, confidence, strongest = -1, 0.0, 0.0
    for category, left in silence.items():
        strength = 1.0 - left
        strongest = max(strongest, strength)
        rivals = unnamed if category in unnamed else silence
        # min of what is left = max of the rivals' strengths
        rival_left = min((other for name, other in rivals.items() if name != category), default=1.0)
        if strength * rival_left > confidence:
            best, confidence = category, strength * rival_left
    return best, confidence, strongest


def strength(hits: list[Hit], automaton: Automaton) -> float:
    """1 - prod(1 - w_i) over distinct entries, whatever their category and context."""
    entries = set(map(automaton.entry_of.__getitem__, [form for form, _, _ in hits]))
    return 1.0 - prod(map(automaton.left_by.__getitem__, entries))
