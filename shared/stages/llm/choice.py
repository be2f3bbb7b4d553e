"""What a model chose and how sure it was; and the protocol of those who ask a model."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import msgspec

from shared.errors import OtzyvError
from shared.stages.llm.prompt import Prompt


class Choice(msgspec.Struct, frozen=True):
    """One answer.

    `logprobs` has the natural logarithm of the probability of each option that the model showed, not
    normalised over the options; None where no probabilities are offered. Tokens are what the answer has cost.
    """

    option: str
    logprobs: dict[str, float] | None = None
    tokens_in: int = 0
    tokens_out: int = 0


ChoiceOrError = Choice | OtzyvError
"""What became of one prompt. Errors are values here: one of them never takes its neighbours along."""


class Backend(Protocol):
    """One way of asking a language model."""

    @property
    def model(self) -> str:
        """What answers, exactly enough to tell two versions apart."""

    def choose(self, prompts: Sequence[Prompt], options: Sequence[str]) -> list[ChoiceOrError]:
        """One outcome per prompt, in order. Every prompt is asked on its own."""


def by_option(scores: Iterable[tuple[str | None, float]], options: Sequence[str]) -> dict[str, float]:
    """Log-probabilities by option, in their order, out of pairs of an option and a log-probability.

    Several tokens may spell one option: their probabilities are added up. Tokens of none, and what is not finite,
    are left out.
    """
    spelt: dict[str | None, list[float]] = {}
    for option, logprob in scores:
        if math.isfinite(logprob):
            spelt.setdefault(option, []).append(logprob)
    return {option: min(0.0, _log_sum(spelt[option])) for option in options if option in spelt}


def confidence(choice: Choice) -> float | None:
    """The share of the chosen option in the probability of all options that the model showed.

        p(c) / sum of p(o) over the options o present,  p(o) = exp(logprob(o))

    This is how Kadavath et al., "Language Models (Mostly) Know What They Know", 2022, arXiv:2207.05221, read the
    probabilities of lettered answers, and found them calibrated for large models. A server shows its 20 most
    probable tokens; an option that is missing has at most the probability of the least of them, and counts as zero.
    None without log-probabilities, or where the chosen option has none.
    """
    shown = choice.logprobs or {}
    if choice.option not in shown:
        return None
    return min(1.0, math.exp(shown[choice.option] - _log_sum(shown.values())))


def mass(choice: Choice) -> float | None:
    """The probability of all options together: far below one, the model would rather have said something else."""
    return min(1.0, math.exp(_log_sum(choice.logprobs.values()))) if choice.logprobs else None


def _log_sum(values: Collection[float]) -> float:
    """log(sum(exp(v))) without leaving the range of floats; their order changes no digit."""
    top = max(values)
    return top + math.log(math.fsum(math.exp(value - top) for value in values))
