"""A proposal: one change of a taxonomy, with what speaks for it. And how proposals change a file's text."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shared.quality.binomial import at_least, at_most
from shared.taxonomy.edits import Change, revised

RISK = 0.05
"""Intervals are of 1 - 2 RISK: a precision below one and a precision above the other are each that improbable."""


class Hearing(msgspec.Struct):
    """Reviews about one change that was found without them.

    Of `checked` labels that it speaks for, `right` are right; `changed` and `changed_right` count those among them that
    are new. What speaks against a category is heard about labels that it takes away, rightly if they were wrong, or
    turns. `example` is the place of a new right one, or -1.
    """

    checked: int = 0
    right: int = 0
    changed: int = 0
    changed_right: int = 0
    example: int = -1

    def bounds(self) -> tuple[float, float]:
        """Between what its precision lies, 0..1, after Clopper and Pearson."""
        return at_least(self.right, self.checked, RISK), at_most(self.right, self.checked, RISK)


class Proposal(msgspec.Struct, frozen=True):
    """One entry to add, or to weigh anew, or one exclusion.

    `sort` is word, phrase, weight or exclusion; `before` is the weight that the entry has. `support` counts the labels
    of its category among the labelled reviews in which it is found, and these. `example` is one of them.
    """

    number: int
    sort: str
    change: Change
    before: float | None
    support: tuple[int, int]
    heard: Hearing
    example: str


def applied(text: str, proposals: Sequence[Proposal]) -> str:
    """A taxonomy's YAML text with proposals taken. Raises TaxonomyError where it cannot be changed by line."""
    return revised(text, [one.change for one in proposals])
