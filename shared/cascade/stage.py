"""What a stage answers, and what is kept of it: pure functions, no store and no broker.

A cascade is a list of stages. Each stage gives an answer per review: a verdict, an error, or neither. A verdict at
or above the stage's threshold becomes the label; everything else travels on to the next stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

import msgspec

from shared.errors import ConfigurationError, OtzyvError, RetryableError


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


# Hundreds of thousands are made in a minute, which the garbage collector need not look through: they are in no cycle
# unless one is in the traceback of its own error.
class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a stage says of one text: a verdict, an error of this text alone, or neither where it abstains.

    Answers out of a cache, and repetitions inside a batch, cost no tokens.
    """

    verdict: Verdict | None = None
    error: OtzyvError | None = None
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def may_pass(self) -> bool:
        """Whether there is an error and asking again may succeed, at once or after a person's change."""
        return isinstance(self.error, RetryableError | ConfigurationError)


ABSTAINED: Final = Answer()
"""The answer of a stage that has nothing to say of a text."""


class Stage(Protocol):
    """One method of the cascade. Stages are pure: the same texts give the same answers."""

    @property
    def name(self) -> str:
        """The stage's name in settings, labels and routes: `keywords`, `zero_shot`, ..."""

    @property
    def model(self) -> str:
        """What produced the verdicts, exactly enough to tell two versions apart."""

    @property
    def default_threshold(self) -> float | None:
        """The confidence from which a verdict is kept where no setting says otherwise.

        None for a stage that is kept only under a certificate: without a stored rule of its own model it keeps nothing.
        """

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """One answer per text, in order. A text that fails carries its error, and changes no other answer."""


@runtime_checkable
class StageSource(Protocol):
    """A stage whose model changes while a process runs, and which rests while no model may judge.

    A batch is judged by one model from beginning to end: whoever judges asks for the stage once, before.
    """

    def now(self) -> Stage | None:
        """The stage as it judges now; None while nothing does. Raises RetryableError where a model is out of reach."""

    def candidate(self) -> Stage | None:
        """The stage as it would judge once it is certified; None where there is no model. Raises like `now`."""

    def rests(self) -> bool:
        """Whether nothing judges now, as far as can be told without loading a model."""


def verdicts(stage: Stage, texts: Sequence[str]) -> list[Verdict | None]:
    """The verdicts alone, one entry per text, for whoever takes an error for an abstention."""
    return [answer.verdict for answer in stage.answers(texts)]


def raise_if_nothing_came(answers: Sequence[Answer]) -> None:
    """Raises the first error where every text failed for a reason outside of itself."""
    if answers and all(answer.may_pass for answer in answers) and answers[0].error is not None:
        raise answers[0].error
