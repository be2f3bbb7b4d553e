"""Diminutives: which word is a small one of another, by their letters (курточка of куртка, штанишки of штаны)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

_SUFFIX: Final = re.compile(r"(?:[ое]чек|[ое]чк|чк|оньк|еньк|[ую]шк|[иы]шк|чик|ик|[ое]к|[иы]ц)(?:[аиоеы]|)$")
_SHORTEST: Final = 2
_LONGEST_ENDING: Final = 3
"""Letters that the other word may have after the stem: курт-ка, тарел-ка, штан-ы. After a shorter stem fewer: юб-ка."""


def bases(words: Iterable[str], others: Collection[str]) -> dict[str, str]:
    """Which of `others`, in the order of preference, each diminutive among `words` was made of."""
    found = {}
    for word in words:
        stem = _SUFFIX.sub("", word)
        if stem == word or len(stem) < _SHORTEST:
            continue
        for other in others:
            ending = len(other) - len(stem)
            if other != word and other.startswith(stem) and ending <= min(_LONGEST_ENDING, len(stem)):
                found[word] = other
                break
    return found
