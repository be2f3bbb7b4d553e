"""The closed list of answers: one character each, which is one token for practically every vocabulary."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Final

from shared.errors import TaxonomyError

OPTIONS: Final = string.ascii_uppercase + string.digits
"""Answers in the order in which they are given out."""

_LOOK_ALIKE: Final = dict(zip("ABCEHKMOPTX", "АВСЕНКМОРТХ", strict=True))
"""Latin letters and the Cyrillic ones that look the same: a model that writes Russian mixes them up."""
_TO_LATIN: Final = str.maketrans({cyrillic: latin for latin, cyrillic in _LOOK_ALIKE.items()})
_AROUND: Final = "*.):(«»\"'`"
"""Decoration that models put around an answer."""


def options_for(count: int) -> tuple[str, ...]:
    """The first `count` options. Raises TaxonomyError for more categories than answers of one character."""
    if count > len(OPTIONS):
        raise TaxonomyError(
            f"The llm stage: expected at most {len(OPTIONS)} categories, one letter or digit each, found {count}. "
            "Merge some, or leave llm out of OTZYV_CASCADE_STAGES"
        )
    return tuple(OPTIONS[:count])


def spellings(option: str) -> tuple[str, ...]:
    """Tokens that mean `option`: bare or after a space, Latin or the Cyrillic look-alike."""
    letters = (option, _LOOK_ALIKE[option]) if option in _LOOK_ALIKE else (option,)
    return tuple(space + letter for letter in letters for space in ("", " "))


def read(answer: str, options: Sequence[str]) -> str | None:
    """The option that a token or an answer stands for; None when it is anything else.

    Only the whole answer counts. Searching a sentence for a letter would find one in any sentence.
    """
    said = answer.strip().strip(_AROUND).strip().translate(_TO_LATIN)
    return said if said in options else None
