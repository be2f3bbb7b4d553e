"""What a chain of stages would answer, from verdicts that every stage has given on every review: pure functions.

Stages are pure, so one pass of each over a gold set is enough to compare all their sub-chains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import msgspec

from shared.cascade.rule import StageRule
from shared.cascade.stage import Verdict
from shared.quality.evaluation import Score, score

StageVerdicts = Sequence[Verdict | None]


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


def run(
    order: Sequence[str],
    verdicts: Mapping[str, StageVerdicts],
    rules: Mapping[str, StageRule],
    gold: Sequence[str],
) -> ChainResult:
    """Put reviews through a chain, as workers do: the first kept verdict, else the surest one as a guess.

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
    """The surest verdict of those who had one; of two that are equally sure the one of the first stage by name."""
    found = [(-v.confidence, stage, v.category) for stage, v in verdicts.items() if v is not None]
    return min(found)[2] if found else None


def sub_chains(order: Sequence[str]) -> list[tuple[str, ...]]:
    """Every chain that leaves stages out, shortest first; the order of stages stays."""
    return [chain for size in range(1, len(order) + 1) for chain in combinations(order, size)]


def without(order: Sequence[str], stage: str) -> tuple[str, ...]:
    """The chain without one of its stages."""
    return tuple(name for name in order if name != stage)
