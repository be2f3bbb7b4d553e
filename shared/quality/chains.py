"""What a chain of stages would answer, from verdicts that every stage has given on every review: pure functions.

Stages are pure, so one pass of each over a gold set is enough to compare all their sub-chains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import msgspec

from shared.cascade.rule import StageRule
from shared.cascade.stage import Verdict
from shared.catalogue import STAGES
from shared.quality.evaluation import Score, score

StageVerdicts = Sequence[Verdict | None]
SPARE_STEPS = 50
"""Thresholds of `spared`, from 0.98 down to 0."""


class StageResult(msgspec.Struct, frozen=True):
    """One stage inside a chain: positions of the reviews it saw, of those it kept, and how many of these are right."""

    stage: str
    seen: list[int]
    kept: list[int]
    right: int

    @property
    def precision(self) -> float:
        """Share of the kept labels that are right, 0..1."""
        return self.right / len(self.kept) if self.kept else 0.0


class ChainResult(msgspec.Struct, frozen=True):
    """A chain against gold. `accepted` counts kept labels only, `final` the best guesses of the unsure too."""

    order: tuple[str, ...]
    stages: tuple[StageResult, ...]
    kept: list[str | None]
    labels: list[str | None]
    accepted: Score
    final: Score

    @property
    def name(self) -> str:
        """The stages in order, as `OTZYV_CASCADE_STAGES` writes them."""
        return ",".join(self.order)


class SparePoint(msgspec.Struct, frozen=True):
    """For one threshold: the share of all reviews, 0..1, that reaches the last stage, and F1 of the final labels."""

    threshold: float | None
    share: float
    weighted_f1: float


class Spared(msgspec.Struct, frozen=True):
    """What the stage before the last spares the last one: for many thresholds of it, and for the one that holds now."""

    points: tuple[SparePoint, ...]
    now: SparePoint
    before: str
    last: str


def spared(
    order: Sequence[str],
    rules: Mapping[str, StageRule],
    run_by: Callable[[Mapping[str, StageRule]], ChainResult],
) -> Spared:
    """What loosening the stage before the last would save, and cost in F1. The order has two stages or more.

    `run_by` puts the gold reviews through the chain by other rules.
    """
    before, last = order[-2:]

    def point(rule: StageRule) -> SparePoint:
        found = run_by({**rules, before: rule})
        share = len(found.stages[-1].seen) / max(1, found.final.total)
        return SparePoint(rule.value, share, found.final.weighted_f1)

    values = (None, *(step / SPARE_STEPS for step in reversed(range(SPARE_STEPS))))
    loosened = [msgspec.structs.replace(rules[before], value=value, categories={}) for value in values]
    return Spared(tuple(map(point, loosened)), point(rules[before]), before, last)


def run(
    order: Sequence[str],
    verdicts: Mapping[str, StageVerdicts],
    rules: Mapping[str, StageRule],
    gold: Sequence[str],
) -> ChainResult:
    """Put reviews through a chain, as workers do: the first kept verdict, else the best one as a guess.

    `verdicts` holds each stage's answers on all reviews, unweighed, `gold` the true categories; all of length [n].
    """
    weighed = {stage: [*map(rules[stage].weigh, verdicts[stage])] for stage in order}
    waiting = list(range(len(gold)))
    kept: list[str | None] = [None] * len(gold)
    results = []
    for stage in order:
        mine = [at for at in waiting if rules[stage].keeps(weighed[stage][at])]
        for at in mine:
            verdict = weighed[stage][at]
            kept[at] = verdict.category if verdict else None
        results.append(StageResult(stage, waiting, mine, sum(kept[at] == gold[at] for at in mine)))
        waiting = [at for at in waiting if kept[at] is None]
    labels = [kept[at] or _guess({stage: weighed[stage][at] for stage in order}) for at in range(len(gold))]
    return ChainResult(tuple(order), tuple(results), kept, labels, score(gold, kept), score(gold, labels))


def _guess(verdicts: Mapping[str, Verdict | None]) -> str | None:
    """The best verdict, as workers choose it: by the rank of its stage, then the surest, then the first by name."""
    found = [
        (-_rank(stage), -v.confidence, stage, v.category) for stage, v in verdicts.items() if v is not None
    ]
    return min(found)[3] if found else None


def _rank(stage: str) -> int:
    return STAGES[stage].guess_rank if stage in STAGES else 0


def sub_chains(order: Sequence[str]) -> list[tuple[str, ...]]:
    """Every chain that leaves stages out, shortest first; the order of stages stays."""
    return [chain for size in range(1, len(order) + 1) for chain in combinations(order, size)]


def without(order: Sequence[str], stage: str) -> tuple[str, ...]:
    """The chain without one of its stages."""
    return tuple(name for name in order if name != stage)
