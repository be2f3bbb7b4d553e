"""A whole chain certified on a gold set: the precision of all that it releases together.

Each stage alone may be below the target as long as what leaves the chain is not, so the slack of a precise stage is
spent by a later one. Pure: verdicts and true categories in, rules out.

The method is fixed sequence testing with several starts, as in "Learn then Test" (Angelopoulos, Bates, Candès, Jordan
and Lei, arXiv 2110.01052, section 4): the chains of `shared.quality.chain_family` are tested in an order that was set
before gold was read, each sequence at its share of the risk (Bonferroni), and left at the first chain that fails. A
chain passes where the exact binomial lower bound of Clopper and Pearson (Biometrika 26, 1934) for all its kept answers
reaches the target. If any chain is passed wrongly, so is the first one of its sequence whose true precision is below
the target, which has at most the sequence's risk: therefore every chain that passed is at least as precise as the
target, all of them at once with the asked certainty, and whoever chooses among them may look at gold again. That is
said of reviews like those of gold, which must be a random sample of them.

Scores are tested as the stage gave them (`Verdict.raw`): a calibration curve that was fitted on the same gold would
make the order depend on it. Floors of single categories and stages only choose among the chains that passed. To leave
out the answers of a late stage in a category that breaks its floor would make a chain that was never tested, and is not
done: what one takes away for being wrong on this gold is no better elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.cascade.rule import StageRule
from shared.cascade.stage import Verdict
from shared.compute.arrays import Float64s
from shared.quality import binomial
from shared.quality.calibration import CERTAINTY, KeptAnswers, checked_target, fit, more_answers
from shared.quality.chain_family import FixedSequence, Thresholds, family

FLOOR: Final = 0.8
"""The least precision of a single category, or of a single stage, unless another is asked for."""
FLOOR_ANSWERS: Final = 30
"""Kept answers on gold from which a category or stage is held to its floor. With fewer, one that is right in 0.9 is
measured below 0.8 by chance more often than once in forty."""
NOBODY: Final = -1


class Floors(msgspec.Struct, frozen=True):
    """The least measured precision of what is kept in each category and by each stage, 0..1; 0 asks for nothing."""

    category: float = FLOOR
    stage: float = FLOOR


class KeptPart(KeptAnswers, frozen=True):
    """What is kept of one category, or by one stage; `reached` counts the reviews that came to a stage."""

    name: str
    reached: int = 0

    def breaks(self, floor: float) -> bool:
        """Whether it is below a floor, with enough answers to say so."""
        return self.kept >= FLOOR_ANSWERS and self.precision < floor


class ChainPoint(KeptAnswers, frozen=True):
    """What a chain keeps, and how precise that is at least; `reached` counts the reviews that come to each stage."""

    thresholds: Thresholds
    bound: float
    reached: tuple[int, ...]


class SequenceFinding(msgspec.Struct, frozen=True):
    """The chains of one sequence that were tested: the first `passed` are certified, and at most one more is there."""

    name: str
    risk: float
    points: tuple[ChainPoint, ...]
    passed: int


class ChainFinding(msgspec.Struct, frozen=True):
    """What a gold set says of a chain as a whole.

    `chosen` is the certified chain that keeps most and breaks no floor; None where there is none. `stages` and
    `categories` are what it keeps, or else what the certified chain with most labels would, and `broken` says which
    floors the one with most labels breaks. `rules` are by stage, keeping nothing where nothing is certified.
    `more_checks` estimates how many more gold reviews would certify the defaults; None where that would not help, or is
    not needed.
    """

    order: tuple[str, ...]
    target: float
    certainty: float
    gold: int
    floors: Floors
    sequences: tuple[SequenceFinding, ...]
    chosen: ChainPoint | None
    stages: tuple[KeptPart, ...]
    categories: tuple[KeptPart, ...]
    broken: tuple[KeptPart, ...]
    rules: dict[str, StageRule]
    more_checks: int | None

    @property
    def certified(self) -> bool:
        """Whether there is a chain to use."""
        return self.chosen is not None

    @property
    def passed(self) -> list[ChainPoint]:
        """Every certified chain, those that keep most first.

        Of two that keep as many, first the one that leaves less for the last stage, then for the one before it: behind
        a language model, which keeps nearly all, many chains keep as many, and differ in how often it is asked.
        """
        points = [point for one in self.sequences for point in one.points[: one.passed]]
        return sorted(points, key=lambda point: (-point.kept, point.reached[::-1]))


class _Gold:
    """The answers of all stages on gold as arrays: scores, NaN where a stage abstains, and what is right."""

    def __init__(self, verdicts: Mapping[str, Sequence[Verdict | None]], gold: Sequence[str]) -> None:
        self.names = tuple(verdicts)
        self.size = len(gold)
        shape = (len(verdicts), len(gold))
        answers = [answer for stage in verdicts.values() for answer in stage]
        raw = [np.nan if answer is None else answer.raw for answer in answers]
        self.scores: Float64s = np.array(raw, dtype=float).reshape(shape)
        self.slugs = np.array([answer.category if answer else "" for answer in answers]).reshape(shape)
        self.right: NDArray[np.bool_] = self.slugs == np.array(gold, dtype=object)

    def family(self, defaults: Mapping[str, float | None]) -> Iterator[FixedSequence]:
        """The sequences for the stages that answer any gold review; the others keep nothing in any of their chains.

        Gold says nothing of what a silent stage would keep. Which stages are silent is known without the truth.
        """
        speaking = [at for at in range(len(self.names)) if not np.isnan(self.scores[at]).all()]
        heard = speaking or [*range(len(self.names))]
        for one in family({self.names[at]: defaults[self.names[at]] for at in heard}):
            chains = [dict(zip(heard, chain, strict=True)) for chain in one.chains]
            whole = [tuple(chain.get(at) for at in range(len(self.names))) for chain in chains]
            yield msgspec.structs.replace(one, chains=tuple(whole))

    def keepers(self, thresholds: Thresholds) -> NDArray[np.int64]:
        """The place of the stage that keeps each review, shape [n]; NOBODY for what is left."""
        by: NDArray[np.int64] = np.full(self.size, NOBODY)
        for at in reversed(range(len(self.names))):
            least = thresholds[at]
            if least is not None:
                by[self.scores[at] >= least] = at
        return by

    def point(self, thresholds: Thresholds, risk: float) -> ChainPoint:
        """What a chain keeps, with the bound for this risk."""
        by = self.keepers(thresholds)
        (kept,) = np.nonzero(by != NOBODY)
        right = int(self.right[by[kept], kept].sum())
        counts = np.bincount(by[kept], minlength=len(self.names))
        reached = self.size - np.concatenate([[0], np.cumsum(counts)[:-1]])
        bound = binomial.at_least(right, len(kept), risk)
        return ChainPoint(len(kept), right, thresholds, bound, tuple(map(int, reached)))

    def stages(self, thresholds: Thresholds) -> tuple[KeptPart, ...]:
        """What each stage keeps."""
        by = self.keepers(thresholds)
        return tuple(
            KeptPart(
                int((by == at).sum()),
                int(self.right[at][by == at].sum()),
                name,
                int(((by == NOBODY) | (by >= at)).sum()),
            )
            for at, name in enumerate(self.names)
        )

    def categories(self, thresholds: Thresholds) -> tuple[KeptPart, ...]:
        """What is kept of each category, by its slug."""
        by = self.keepers(thresholds)
        (kept,) = np.nonzero(by != NOBODY)
        slugs, right = self.slugs[by[kept], kept], self.right[by[kept], kept]
        return tuple(
            KeptPart(int((slugs == slug).sum()), int(right[slugs == slug].sum()), str(slug))
            for slug in np.unique(slugs)
        )

    def rules(self, thresholds: Thresholds) -> dict[str, StageRule]:
        """A rule for each stage, with a curve by the answers that reach it, which is for people to read."""
        by = self.keepers(thresholds)
        found = {}
        for at, name in enumerate(self.names):
            mine = ~np.isnan(self.scores[at]) & ((by == NOBODY) | (by >= at))
            curve = fit(self.scores[at][mine], self.right[at][mine]) if mine.any() else None
            found[name] = StageRule(thresholds[at], curve=curve, of_score=True)
        return found


def certify_chain(
    verdicts: Mapping[str, Sequence[Verdict | None]],
    gold: Sequence[str],
    defaults: Mapping[str, float | None],
    target: float,
    *,
    certainty: float = CERTAINTY,
    floors: Floors = Floors(),  # noqa: B008  immutable
) -> ChainFinding:
    """Certify what a chain releases.

    `verdicts` holds each stage's answers on all gold reviews, shape [n] each; its order is the chain's. `defaults` are
    the stages' default thresholds. Raises ValueError for a target outside 0..1.
    """
    checked_target(target)
    answers, risk = _Gold(verdicts, gold), 1.0 - certainty
    sequences = tuple(
        _tested(answers, one.name, risk * one.share, one.chains, target) for one in answers.family(defaults)
    )
    nothing = answers.rules((None,) * len(answers.names))
    main = sequences[0]
    more = more_answers(main.points[0].right, main.points[0].kept, len(gold), target, main.risk)
    finding = ChainFinding(
        answers.names, target, certainty, len(gold), floors, sequences, None, (), (), (), nothing, more
    )
    return _chosen(finding, answers)


def _tested(
    answers: _Gold, name: str, risk: float, chains: Iterable[Thresholds], target: float
) -> SequenceFinding:
    points: list[ChainPoint] = []
    for thresholds in chains:
        points.append(answers.point(thresholds, risk))
        if points[-1].bound < target:
            return SequenceFinding(name, risk, tuple(points), len(points) - 1)
    return SequenceFinding(name, risk, tuple(points), len(points))


def _chosen(finding: ChainFinding, answers: _Gold) -> ChainFinding:
    """The finding with the certified chain that keeps most and breaks no floor."""
    broken: tuple[KeptPart, ...] = ()
    for point in finding.passed:
        stages, categories = answers.stages(point.thresholds), answers.categories(point.thresholds)
        breaks = (
            *(part for part in stages if part.breaks(finding.floors.stage)),
            *(part for part in categories if part.breaks(finding.floors.category)),
        )
        if not finding.stages:
            broken = breaks
            finding = msgspec.structs.replace(
                finding, stages=stages, categories=categories, broken=broken, more_checks=None
            )
        if not breaks:
            rules = answers.rules(point.thresholds)
            return msgspec.structs.replace(
                finding, chosen=point, stages=stages, categories=categories, rules=rules
            )
    return finding
