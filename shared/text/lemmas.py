"""The dictionary forms of all the words of many texts: of several readings the one that the texts themselves support.

носки may be of носок or of носка, села of сесть or of село. Alone no form can tell, but where носков and носкам
occur and носку does not, it is носок. So the readings are weighed by expectation and maximisation (Dempster, Laird,
Rubin: Maximum Likelihood from Incomplete Data via the EM Algorithm, 1977):

    share   q(l | w)  =  s(w, l) p(l) / sum over l' of s(w, l') p(l')
    weight  p(l)      =  sum over w of n(w) q(l | w)

with n(w) the occurrences of a form and s(w, l) how likely the dictionary calls its reading.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from shared.text.morphology import FormReading, readings

ROUNDS: Final = 15
FLOOR: Final = 0.05
"""Added to every likelihood, so that the texts can overrule a dictionary that calls a reading impossible."""
UNSEEN: Final = 0.3
"""What a reading keeps of its likelihood whose dictionary form no text has."""
LATIN: Final = "LATN"


class Lemma(NamedTuple):
    """A dictionary form and its part of speech: `NOUN`, `VERB` and so on, `NAME`, `LATN`, or "" where unknown."""

    text: str
    part: str


class Lemmas(NamedTuple):
    """The lemma of each word form, and of each lemma how often it surely stood in the plural and in the singular."""

    of: list[Lemma]
    plurals: dict[Lemma, int]
    singulars: dict[Lemma, int]

    def mostly_plural(self, lemma: Lemma, share: float) -> bool:
        """Whether at least this share of the occurrences whose number is clear are plurals."""
        plurals = self.plurals.get(lemma, 0)
        return plurals > 0 and plurals >= share * (plurals + self.singulars.get(lemma, 0))


def lemmas(words: Sequence[str], counts: Sequence[int]) -> Lemmas:
    """The lemmas of different word forms in small letters, with how often each occurs."""
    read, seen = [readings(word) for word in words], set(words)
    likely = [{Lemma(*reading[:2]): likelihood(reading, seen) for reading in some} for some in read]
    weights = supported(likely, counts)
    chosen, plurals, singulars = [], defaultdict[Lemma, int](int), defaultdict[Lemma, int](int)
    for word, count, some, scores in zip(words, counts, read, likely, strict=True):
        latin = word.isascii() and word.isalpha()
        lemma = max(scores, key=lambda one: scores[one] * weights[one], default=None) if scores else None
        lemma = lemma or Lemma(word, LATIN if latin else "")
        numbers = {one.number for one in some if one[:2] == lemma}
        if len(numbers) == 1:
            plurals[lemma] += count if "plur" in numbers else 0
            singulars[lemma] += count if "sing" in numbers else 0
        chosen.append(lemma)
    return Lemmas(chosen, plurals, singulars)


def likelihood(reading: FormReading, seen: Collection[str]) -> float:
    """s(w, l) above, raised for a dictionary form that some text has."""
    return (FLOOR + reading.score) * (1.0 if reading.lemma in seen else UNSEEN)


def supported(likely: Sequence[dict[Lemma, float]], counts: Sequence[int]) -> dict[Lemma, float]:
    """How many occurrences each lemma explains, p(l) above, after some rounds."""
    weights = dict.fromkeys((lemma for scores in likely for lemma in scores), 1.0)
    for _ in range(ROUNDS):
        new: dict[Lemma, float] = dict.fromkeys(weights, 0.0)
        for scores, count in zip(likely, counts, strict=True):
            total = sum(score * weights[lemma] for lemma, score in scores.items())
            for lemma, score in scores.items():
                new[lemma] += count * score * weights[lemma] / total
        weights = new
    return weights
