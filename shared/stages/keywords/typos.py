"""Finds the keyword that a misspelt word stands for: one letter lost, added, changed or swapped.

Look-up by deletions (Garbe's symmetric delete): two words at distance one share a form with one letter less.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from shared.stages.keywords.lexicon import NAME, Automaton
from shared.text.morphology import known
from shared.text.reading import CODEC

SHORTEST: Final = 7
"""Words with fewer letters have too many neighbours at distance one."""

LONGEST: Final = 40
"""Longer runs of letters are no words; looking for their neighbours would only cost time."""

REMEMBERED: Final = 100_000
"""Words found to be no slips that are kept, so that the frequent ones are looked at once; some 8 MB."""

_REPEATS: Final = re.compile(rb"(.)\1{2,}")
_ODD: Final = re.compile(rb"([^ ])\1\1|[a-z][\x80-\xff]|[\x80-\xff][a-z]")
"""In a word with a letter three times in a row, or that mixes Latin and Cyrillic letters."""
_LOOKALIKES: Final = bytes.maketrans(b"aceopxyktmhb", "асеорхуктмнв".encode(CODEC))


class Typos:
    """Corrects towards the names of a lexicon; a word of the dictionary is never taken for a typo."""

    def __init__(self, automaton: Automaton) -> None:
        terms = automaton.terms
        self._names = {
            word: number
            for word, number in automaton.words.items()
            if any(term.kind == NAME for term in terms[number])
        }
        self._sound: set[bytes] = set()
        self._shorter: dict[bytes, list[bytes]] = {}
        self._ends: set[bytes] = set()
        for word in self._names:
            if len(word) >= SHORTEST:
                for size in range(len(word) - 1, len(word) + 2):
                    self._ends.update((word[: size // 2], word[:1] + word[-(size // 2) :]))
                for shorter in {word, *_deletions(word)}:
                    self._shorter.setdefault(shorter, []).append(word)

    def corrected(self, words: AbstractSet[bytes]) -> dict[bytes, int]:
        """The numbers of the names that some of the words stand for. No word is itself a name."""
        new = words - self._sound
        found = self._slips(new) | self._drawn_out(new)
        if len(self._sound) > REMEMBERED:
            self._sound.clear()
        self._sound |= new - found.keys()
        return found

    def _slips(self, words: AbstractSet[bytes]) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        ends, shorter = self._ends, self._shorter.keys()
        for word in words:
            size = len(word)
            if not SHORTEST <= size <= LONGEST:
                continue
            # One slip leaves the first or the last half of a word as it is, and mostly the first letter.
            half = size // 2
            if word[:half] not in ends and word[:1] + word[-half:] not in ends:
                continue
            if word in shorter or not shorter.isdisjoint([word[:at] + word[at + 1 :] for at in range(size)]):
                name = self._neighbour(word)
                if name:
                    found[word] = self._names[name]
        return found

    def _drawn_out(self, words: AbstractSet[bytes]) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        line = b" " + b" ".join([word for word in words if len(word) <= LONGEST]) + b" "
        for match in _ODD.finditer(line):
            word = line[line.rindex(b" ", 0, match.end()) + 1 : line.index(b" ", match.end())]
            # Latin look-alikes, and letters drawn out (плаааатье).
            plain = word if word.isascii() else word.translate(_LOOKALIKES)
            mended = [_REPEATS.sub(kept, plain) for kept in (rb"\1", rb"\1\1")]
            name = next((one for one in mended if one in self._names), None)
            if name is not None:
                found[word] = self._names[name]
        return found

    def _neighbour(self, word: bytes) -> bytes | None:
        """The first name at distance one."""
        candidates = {
            name
            for some in (word, *_deletions(word))
            for name in self._shorter.get(some, ())
            # The first letter is rarely wrong, and a changed one mostly makes another word.
            if name[0] == word[0] and _near(word, name)
        }
        return min(candidates) if candidates and not known(word.decode(CODEC)) else None


def _deletions(word: bytes) -> Iterator[bytes]:
    return (word[:at] + word[at + 1 :] for at in range(len(word)))


def _near(one: bytes, other: bytes) -> bool:
    """Whether at most one letter is lost, added or changed, or two neighbours are swapped."""
    if len(one) != len(other):
        return abs(len(one) - len(other)) == 1
    differing = [at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    if len(differing) < 2:
        return True
    first, last = differing[0], differing[-1]
    swapped = one[first] == other[last] and one[last] == other[first]
    return len(differing) == 2 and last == first + 1 and swapped
