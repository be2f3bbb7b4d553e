"""The keyword stage: whole words in all their forms, weighed in their context. No model, no network.

How entries are found is `lexicon` and `reading`, what the words around them do is `context`, how they add up
is `weighing`. docs/taxonomy.md explains all of it to those who write taxonomies.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import chain, pairwise
from operator import itemgetter
from typing import Final

from shared.cascade.stage import ABSTAINED, Answer, Match, Verdict
from shared.stages.keywords.lexicon import Automaton, Hit, Lexicon
from shared.stages.keywords.typos import Typos
from shared.stages.keywords.weighing import strength, weigh
from shared.stages.parts import StageParts
from shared.taxonomy import Taxonomy
from shared.text.reading import CODEC, Page
from shared.text.russian import LITTLE

DEFAULT_THRESHOLD: Final = 0.8
"""Verdicts at or above this are kept unless the settings say otherwise."""
FLOOR: Final = 0.5
"""Below this the stage abstains. At 0.5 or above the none category cannot win over a product."""
UNKNOWN_WORD: Final = 0.93
"""What each different word that may name an unknown product leaves of the confidence that none is named."""
SHORT: Final = 3
"""Shorter words never count as unknown."""
MOST_EVIDENCE: Final = 5
"""Matches that a verdict carries at most, the first ones: enough to see why, and a row stays small."""

_SPACE: Final = ord(" ")


class KeywordStage:
    """Implements `shared.cascade.stage.Stage`. Compiling takes a second or two; share one per process.

    Raises TaxonomyError where a phrase has too many inflected forms.
    """

    name = "keywords"
    model = "keywords/1"
    default_threshold = DEFAULT_THRESHOLD

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._lexicon = Lexicon(taxonomy)
        self._known = self._lexicon.vocabulary | {word.encode(CODEC) for word in LITTLE}
        self._typos = Typos(self._lexicon.products)

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """One answer per text, in order; it abstains where nothing spoke loudly enough for any category."""
        page = Page(texts)
        raw, lexicon = page.raw, self._lexicon
        answers = [ABSTAINED] * len(texts)
        found = collect(page, lexicon.products)
        unsure: dict[int, float] = {}
        for index, hits in enumerate(found):
            strongest = 0.0
            if hits:
                category, confidence, strongest = weigh(raw, hits, lexicon)
                if confidence >= FLOOR:
                    answers[index] = self._answer(page, index, hits, category, confidence)
                    continue
            unsure[index] = strongest
        if unsure:
            self._look_again(page, unsure, found, answers)
        return answers

    def _look_again(
        self, page: Page, unsure: dict[int, float], found: list[list[Hit]], answers: list[Answer]
    ) -> None:
        """Texts that name no product for sure: a misspelt name first, then whether there is none at all.

        `unsure` maps them to the strength of what was found of products.
        """
        part = page.part(list(unsure))
        rest = collect(part, self._lexicon.rest)
        corrected = self._typos.corrected(set(part.raw.split()) - self._known)
        misspelt = _misspelt(part, corrected)
        for at, (index, strongest) in enumerate(unsure.items()):
            if at in misspelt and not found[index]:
                category, sure, strongest = weigh(part.raw, misspelt[at], self._lexicon)
                if sure >= FLOOR:
                    answers[index] = self._answer(part, at, misspelt[at], category, sure)
                    continue
            if not rest[at]:
                continue
            confidence = strength(rest[at], self._lexicon.rest) * (1.0 - strongest)
            if confidence >= FLOOR:
                # Words that neither the taxonomy nor the language's small words know.
                unknown = {word for word in part.text(at).split() if len(word) >= SHORT} - self._known
                confidence *= UNKNOWN_WORD ** len(unknown)
                if confidence >= FLOOR:
                    answers[index] = self._answer(part, at, rest[at], self._lexicon.none, confidence)

    def _answer(self, page: Page, index: int, hits: list[Hit], category: int, confidence: float) -> Answer:
        lexicon = self._lexicon
        slug = lexicon.slugs[category]
        spoken = (lexicon.rest if category == lexicon.none else lexicon.products).spoken
        if len(hits) > MOST_EVIDENCE:
            hits = [hit for hit in hits if category in spoken[hit[0]]][:MOST_EVIDENCE]
        text, base = page.texts[index], page.starts[index]
        if index in page.detours:
            detour = page.detours[index]
            hits = [
                (number, detour[start + 1 - base] - 1, detour[end - base - 1] + 1)
                for number, start, end in hits
            ]
            base = 0
        # A hit begins at the space before its first letter.
        before = base - 1
        evidence = [
            Match(text[start - before : end - base], start - before, end - base, keyword, slug)
            for number, start, end in hits
            if (keyword := spoken[number].get(category)) is not None
        ]
        return Answer(Verdict(slug, confidence, tuple(evidence)))


def build(parts: StageParts) -> KeywordStage:
    """The stage for a taxonomy."""
    return KeywordStage(parts.taxonomy)


def _misspelt(page: Page, corrected: dict[bytes, int]) -> dict[int, list[Hit]]:
    """Hits for the words of each text that are slips of a name, in order."""
    hits: dict[int, list[Hit]] = {}
    for word, number in corrected.items():
        at = page.raw.find(b" " + word + b" ")
        while at >= 0:
            end = at + 1 + len(word)
            hits.setdefault(bisect_right(page.starts, at + 1) - 1, []).append((number, at, end))
            at = page.raw.find(b" " + word + b" ", end)
    for some in hits.values():
        some.sort(key=itemgetter(1))
    return hits


def collect(page: Page, automaton: Automaton) -> list[list[Hit]]:
    """What the automaton finds in each text of a page: whole words only, in order."""
    raw, starts = page.raw, page.starts
    matches = automaton.matches(raw)
    hits = [match for match in matches if raw[match[2]] == _SPACE]
    if len(hits) < len(matches):
        cut = [match for match in matches if raw[match[2]] != _SPACE and automaton.phrases[match[0]]]
        if cut:
            hits += chain.from_iterable(automaton.words_within(raw, start, end) for _, start, end in cut)
            hits.sort(key=itemgetter(1))
    ends = [end for _, _, end in hits]
    bounds = [bisect_right(ends, start) for start in starts]
    return [hits[first:last] for first, last in pairwise(bounds)]
