"""A text whose category is known: what models are trained on. Which of them are used is `shared.training.data`."""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct, frozen=True, gc=False):
    """One text and the slug of its category. `review_id` 0 is a text of the taxonomy itself, not a review.

    `trusted`: the label comes from a person, or from a review of known category. `guess` is the confidence of a label
    that is only a guess, None for one that was accepted.
    """

    text: str
    category: str
    review_id: int = 0
    revision: int = 0
    trusted: bool = False
    guess: float | None = None
