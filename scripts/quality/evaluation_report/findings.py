"""What an evaluation found. Nothing here computes."""

from __future__ import annotations

import msgspec

from shared.quality.evaluation import Confusion, Score
from shared.taxonomy import Taxonomy


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


class Evaluation(msgspec.Struct, frozen=True):
    """Labels against gold, by group of reviews (the first is all of them): `groups` kept ones, `final` with guesses.

    `missing` counts gold reviews that a file of labels has no row for.
    """

    title: str
    taxonomy: Taxonomy
    groups: dict[str, Score]
    final: dict[str, Score]
    matrix: Confusion
    stages: tuple[StageLine, ...] = ()
    chains: tuple[SubChain, ...] = ()
    missing: int = 0
