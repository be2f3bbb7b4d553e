"""What an evaluation found, and what its groups of reviews are called. Nothing here computes."""

from __future__ import annotations

from typing import Final

import msgspec

from scripts.language.language import Sentence, translated
from shared.quality.chains import Spared
from shared.quality.confusion import Compared
from shared.quality.evaluation import Score
from shared.taxonomy import Taxonomy

ALL: Final = "all"
NOT_AMBIGUOUS: Final = "not ambiguous"
OF_SOURCE: Final = "source "
"""Names of groups of reviews, as programs read them; the last is followed by the name of a source."""


def group_title(name: str) -> str:
    """What people are told of a group."""
    if name.startswith(OF_SOURCE):
        return translated("source {name}", name=name.removeprefix(OF_SOURCE))
    return {ALL: translated("all"), NOT_AMBIGUOUS: translated("not ambiguous")}.get(name, name)


class StageLine(msgspec.Struct, frozen=True):
    """One stage of the chain.

    `seconds` and `tokens` are of the reviews it saw. `gain_f1` is the weighted F1 of final labels that would be lost
    without the stage, `gain_right` the number of right accepted labels.
    """

    stage: str
    model: str
    threshold: float | None
    seen: int
    kept: int
    precision: float
    seconds: float
    tokens: int
    gain_f1: float
    gain_right: int


class SubChain(msgspec.Struct, frozen=True):
    """One chain out of the stages at hand: kept labels, labels with guesses, and what the gold set would cost."""

    name: str
    accepted: Score
    final: Score
    sent_to_llm: float
    seconds: float
    tokens: int


class EvaluatedReview(msgspec.Struct, frozen=True):
    """A gold review beside its final label, None where it has none. `kept` says that no person would be asked."""

    id: str
    text: str
    gold: str
    answer: str | None
    kept: bool
    ambiguous: bool


class Evaluation(msgspec.Struct, frozen=True):
    """Labels against gold, by group of reviews (the first is all of them): `groups` kept ones, `final` with guesses.

    `kept` and `labelled` compare the same two kinds category by category. `missing` counts gold reviews that a
    file of labels has no row for. `certified` says in words what the thresholds in use are certified for; None where
    they are not stored ones. `spared` is there for two stages or more.
    """

    title: str
    taxonomy: Taxonomy
    groups: dict[str, Score]
    final: dict[str, Score]
    kept: Compared
    labelled: Compared
    reviews: tuple[EvaluatedReview, ...] = ()
    stages: tuple[StageLine, ...] = ()
    chains: tuple[SubChain, ...] = ()
    missing: int = 0
    certified: Sentence | None = None
    spared: Spared | None = None

    @property
    def whole(self) -> tuple[Score, Score]:
        """The figures of all reviews: of kept labels, and with guesses."""
        return next(iter(self.groups.values())), next(iter(self.final.values()))
