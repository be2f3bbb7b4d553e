"""What might become an entry of a taxonomy: words and phrases of reviews, in the forms that an entry would find."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
import numpy as np

from shared.compute.arrays import Int64s
from shared.learning.occurrences import Amounts, Occurrences
from shared.text.morphology import base, forms
from shared.text.russian import LITTLE

LEAST_REVIEWS: Final = 2
"""What stands in fewer reviews says nothing: half of them find, and others check."""
SHORTEST: Final = 3
LONGEST_PHRASE: Final = 3


class Candidate(msgspec.Struct, frozen=True, eq=False, gc=False):
    """An entry as it would be written, and where it is found.

    `rows` are the reviews, once each, `factors` what their context leaves of a name's weight there. `places` are
    occurrences of its words, as pairs of a place in `rows` and the occurrence's number.
    """

    text: str
    rows: Int64s
    factors: Amounts
    at: Int64s
    places: Int64s


def candidates(read: Occurrences) -> list[Candidate]:
    """All of them, in the order of their texts."""
    bases = [base(word) if is_word(word) else word for word in read.words]
    found = [*words(read, bases), *phrases(read, bases)]
    return sorted(found, key=lambda one: one.text)


def is_word(word: str) -> bool:
    """Whether it could say something of a product; numbers say it only with a unit, which is for people to see."""
    return not any(map(str.isdigit, word))


def words(read: Occurrences, bases: list[str]) -> Iterator[Candidate]:
    """Single words, each under its dictionary form."""
    numbers = {word: number for number, word in enumerate(read.words)}
    places = defaultdict(list)
    for place, number in enumerate(read.numbers.tolist()):
        places[number].append(place)
    for text in sorted({bases[number] for number, word in enumerate(read.words) if telling(word)}):
        spelled = [numbers[form] for form in sorted(forms(text)) if form in numbers]
        found = sorted(place for number in spelled for place in places[number])
        if len(set(read.rows[found].tolist())) >= LEAST_REVIEWS:
            yield candidate(read, text, [(place,) for place in found])


def telling(word: str) -> bool:
    return len(word) >= SHORTEST and word not in LITTLE and is_word(word)


def phrases(read: Occurrences, bases: list[str]) -> Iterator[Candidate]:
    """Two or three words side by side, as they are mostly written, one word of them more than grammar."""
    sayable = np.array([is_word(word) for word in read.words], dtype=bool)[read.numbers]
    tells = [telling(word) for word in read.words]
    begins = np.arange(len(read.numbers))
    numbers, rows = read.numbers.tolist(), read.rows.tolist()
    of_base = {one: number for number, one in enumerate(dict.fromkeys(bases))}
    based = [of_base[bases[number]] for number in numbers]
    for size in range(2, LONGEST_PHRASE + 1):
        begins = begins[begins + size <= len(read.numbers)]
        begins = begins[read.follows[begins + size - 1] & sayable[begins] & sayable[begins + size - 1]]
        groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for place in begins.tolist():
            if any(tells[number] for number in numbers[place : place + size]):
                groups[tuple(based[place : place + size])].append(place)
        groups = {key: some for key, some in groups.items() if len({rows[p] for p in some}) >= LEAST_REVIEWS}
        # A longer phrase is no more frequent than the one that it begins with.
        begins = np.array(sorted(place for some in groups.values() for place in some), dtype=np.int64)
        for some in groups.values():
            spelled = Counter(tuple(numbers[place : place + size]) for place in some)
            usual = [read.words[n] for n in min(spelled, key=lambda one: (-spelled[one], one))]
            allowed = [forms(word, participles=False) for word in usual]
            kept = [
                place
                for place in some
                if all(read.words[numbers[place + at]] in allowed[at] for at in range(size))
            ]
            if len({rows[place] for place in kept}) >= LEAST_REVIEWS:
                yield candidate(read, " ".join(usual), [tuple(range(p, p + size)) for p in kept])


def candidate(read: Occurrences, text: str, found: Iterable[tuple[int, ...]]) -> Candidate:
    factors: dict[int, float] = {}
    pairs = []
    for places in found:
        row = int(read.rows[places[0]])
        factor = read.factor(int(read.spaces[places[0]]), int(read.ends[places[-1]]))
        factors[row] = max(factor, factors.get(row, 0.0))
        pairs += [(row, place) for place in places]
    rows = np.fromiter(sorted(factors), np.int64)
    given = np.array(pairs, dtype=np.int64)
    at = np.searchsorted(rows, given[:, 0])
    return Candidate(text, rows, np.array([factors[row] for row in rows.tolist()]), at, given[:, 1])
