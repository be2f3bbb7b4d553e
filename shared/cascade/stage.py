"""What a stage answers, and what is kept of it: pure functions, no store and no broker.

A cascade is a list of stages. Each stage answers with a verdict per review, or abstains. A verdict at or
above the stage's threshold becomes the label; everything else travels on to the next stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from shared.errors import OtzyvError


class Match(msgspec.Struct, frozen=True, gc=False):
    """A piece of the original text that spoke for a category; `text[start:end] == word`."""

    word: str
    start: int
    end: int
    keyword: str
    category: str


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """One stage's answer for one review.

    `category` is a slug of the taxonomy, `confidence` lies in 0..1, `evidence` is what a person would look at
    to check the answer: places in the text, or named values that go into JSON as they are. `score` is what the
    stage itself said, 0..1, where `confidence` has been calibrated since.
    """

    category: str
    confidence: float
    evidence: tuple[Match, ...] | Mapping[str, Any] = ()
    score: float | None = None

    @property
    def raw(self) -> float:
        """What the stage itself said, before any calibration."""
        return self.confidence if self.score is None else self.score


class Stage(Protocol):
    """One method of the cascade. Stages are pure: the same texts give the same verdicts."""

    @property
    def name(self) -> str:
        """The stage's name in settings, labels and routes: `keywords`, `zero_shot`, ..."""
        ...

    @property
    def model(self) -> str:
        """What produced the verdicts, exactly enough to tell two versions apart."""
        ...

    @property
    def default_threshold(self) -> float:
        """The confidence from which a verdict is kept where no setting says otherwise."""
        ...

    def verdicts(self, texts: Sequence[str]) -> list[Verdict | None]:
        """One entry per text, in order; None where the stage abstains."""
        ...


@runtime_checkable
class RemoteStage(Protocol):
    """A stage that asks others, who may fail to answer about some reviews of a batch."""

    def outcomes(self, texts: Sequence[str]) -> list[Verdict | OtzyvError | None]:
        """One entry per text, in order: a verdict, an error of this text alone, or None for an abstention."""
        ...


class Rule(Protocol):
    """What a stage's verdicts are worth, and which of them are kept. See `shared.cascade.rule`."""

    def weigh(self, verdict: Verdict) -> Verdict:
        """The verdict with the confidence that holds."""
        ...

    def keeps(self, verdict: Verdict) -> bool:
        """Whether a weighed verdict becomes the label."""
        ...


class StageDecision(msgspec.Struct, frozen=True):
    """What one stage's answers mean for a batch: positions of the reviews kept, and of those passed on."""

    kept: list[int]
    passed_on: list[int]


def decide(verdicts: Sequence[Verdict | None], rule: Rule) -> StageDecision:
    """Keep the weighed verdicts that the rule keeps; everything else, abstentions included, travels on."""
    decision = StageDecision([], [])
    for position, verdict in enumerate(verdicts):
        sure = verdict is not None and rule.keeps(verdict)
        (decision.kept if sure else decision.passed_on).append(position)
    return decision


def following(stages: Sequence[str], stage: str) -> str | None:
    """The stage after `stage`, or None when it is the last one."""
    position = stages.index(stage)
    return stages[position + 1] if position + 1 < len(stages) else None
