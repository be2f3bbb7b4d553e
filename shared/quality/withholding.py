"""Which labels are withheld: a uniform random slice that goes on to the dearer stages and to people all the same.

What these say of it measures the stage without bias, since nobody chose the reviews: each was withheld with the same
known probability, whatever its text, category or confidence.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec

from shared.quality import binomial

FEWEST: Final = 50
"""Withheld labels that somebody has answered, below which they raise no alarm."""
RISK: Final = 0.01
"""Chance that an alarm about a stage as precise as the limit is false; it is looked at every day."""

_WHOLE: Final = 2.0**64


def is_withheld(taxonomy_id: int, review_id: int, revision: int, share: float) -> bool:
    """Whether a label is withheld, where a share from 0 to 1 is.

    Decided by a hash of the review's number: the same review again, by whomever, is decided in the same way.
    """
    if share <= 0.0:
        return False
    digest = blake2b(f"{taxonomy_id}/{review_id}/{revision}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _WHOLE < share


class WithheldCount(msgspec.Struct, frozen=True):
    """Labels of one model that were withheld: how many, how many a dearer stage or a person has answered since.

    `right` of these agree with what was withheld; `by_people` were answered by a person, `right_by_people` of them
    agree. A language model answers only what it is sure of, so that its answers alone make the labels look better than
    they are: where enough people have answered, they count alone.
    """

    model: str
    withheld: int
    answered: int
    right: int
    by_people: int
    right_by_people: int

    @property
    def judged(self) -> tuple[int, int]:
        """How many answers count, and how many of them agree."""
        if self.by_people >= FEWEST:
            return self.by_people, self.right_by_people
        return self.answered, self.right

    @property
    def precision(self) -> float:
        """Share of the answers that count which agree, 0..1."""
        answers, right = self.judged
        return right / answers if answers else 0.0

    def is_below(self, limit: float) -> bool:
        """Whether the model's precision is below a limit with 99 % certainty (Clopper and Pearson 1934)."""
        answers, right = self.judged
        return answers >= FEWEST and binomial.at_most(right, answers, RISK) < limit
