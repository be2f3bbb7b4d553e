"""The LLM stage of the cascade: which prompts have to be asked at all, and what the answers mean.

Not here: how a model is asked (`server`, `local`) and with which words (`prompt`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from shared.cascade.stage import ABSTAINED, Answer, Verdict
from shared.errors import (
    BudgetSpent,
    ConfigurationError,
    InvalidAnswer,
    ModelUnavailable,
    OtzyvError,
    RetryableError,
)
from shared.stages.llm.cache import AnswerCache, key
from shared.stages.llm.choice import Backend, Choice, ChoiceOrError, confidence, mass
from shared.stages.llm.prompt import Prompt, PromptWriter
from shared.taxonomy import Taxonomy

VERSION: Final = "llm/1"
DEFAULT_THRESHOLD: Final = 0.8
"""Verdicts at or above this are kept unless the settings say otherwise."""
UNSCORED_CONFIDENCE: Final = 0.5
"""The confidence of an answer that came without log-probabilities: below the threshold, because nothing is known."""
SLICE_ROWS: Final = 64
"""Prompts that are asked before what has been paid for is put into the cache."""

FIRST_TOKENS_PER_CHAR: Final = 0.5
"""Tokens reckoned for a character of a prompt before the model has counted any: Russian takes 0.25 to 0.5."""


def is_unscored(verdict: Verdict | None) -> bool:
    """Whether a verdict of this stage came without log-probabilities."""
    evidence = verdict.evidence if verdict is not None else None
    return isinstance(evidence, dict) and evidence.get("confidence") == _FIXED


_DIGITS: Final = 4
"""Decimals of a log-probability in the evidence."""
_FIXED: Final = "fixed: the model gave no log-probabilities"


class Examples(Protocol):
    """Finds reviews whose category is known, for the prompt."""

    def examples_for(self, texts: Sequence[str]) -> list[list[tuple[str, str]]]:
        """For each text, pairs of review and slug, nearest first."""


class Budget(Protocol):
    """Tokens that may be spent."""

    limit: int

    def take(self, tokens: int) -> bool:
        """Set tokens aside; False where there are not so many left."""

    def correct(self, taken: int, spent: int) -> None:
        """Replace what was set aside by what was spent."""


class LlmStage:
    """Implements `shared.cascade.stage.Stage`: `backend` is asked, in the words of `writer`, by default in Russian.

    Without `examples` the prompt shows no gold, without a budget there is no limit. `cache` keeps answers between
    calls; inside a call nothing is asked twice. Raises TaxonomyError for more categories than options.
    """

    name = "llm"
    default_threshold = DEFAULT_THRESHOLD

    def __init__(
        self,
        taxonomy: Taxonomy,
        backend: Backend,
        *,
        writer: PromptWriter | None = None,
        examples: Examples | None = None,
        cache: AnswerCache | None = None,
        budget: Budget | None = None,
        slice_rows: int = SLICE_ROWS,
    ) -> None:
        self._backend = backend
        self._writer = writer or PromptWriter(taxonomy)
        self._examples = examples
        self._cache = cache
        self._budget = budget
        self._tokens_per_char = FIRST_TOKENS_PER_CHAR
        self._slice_rows = slice_rows

    @property
    def model(self) -> str:
        """Stage, model and prompt: two answers can differ only if these do."""
        return f"{VERSION}:{self._backend.model}:{self._writer.version}"

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """One answer per text, in order. It abstains where nothing can be read, or the model says that nothing fits."""
        prompts = self.prompts(texts)
        keys = [None if prompt is None else key(prompt, self.model) for prompt in prompts]
        wanted = {name: prompt for name, prompt in zip(keys, prompts, strict=True) if name and prompt}
        known = dict(self._cache.get(list(wanted))) if self._cache else {}
        fresh = self._ask({name: prompt for name, prompt in wanted.items() if name not in known})
        answers, paid = [], set(known)
        for name in keys:
            if name is None:
                answers.append(ABSTAINED)
                continue
            answers.append(self._answer(known[name] if name in known else fresh[name], name in paid))
            paid.add(name)
        return answers

    def prompts(self, texts: Sequence[str]) -> list[Prompt | None]:
        """The prompts as they would be sent, in order; None where nothing of a text can be read."""
        near: Sequence[Iterable[tuple[str, str]]] = [()] * len(texts)
        if self._examples is not None:
            near = self._examples.examples_for(texts)
        return [self._writer.write(text, shown) for text, shown in zip(texts, near, strict=True)]

    def _ask(self, wanted: Mapping[str, Prompt]) -> dict[str, ChoiceOrError]:
        """Outcomes by key. Stops at a slice in which nobody answered: the rest would only wait for the same."""
        todo, outcomes = list(wanted), dict[str, ChoiceOrError]()
        while todo:
            prompts, taken = self._afford([wanted[name] for name in todo[: self._slice_rows]])
            if not prompts:
                limit = self._budget.limit if self._budget else 0
                spent = BudgetSpent(
                    f"{self._backend.model}: expected tokens left for today, found the budget of {limit:,} spent; "
                    "reviews wait until midnight UTC, or until OTZYV_LLM_DAILY_TOKENS is raised"
                )
                return outcomes | dict.fromkeys(todo, spent)
            chosen = self._choose(prompts, taken)
            self._count(prompts, chosen, taken)
            found = dict(zip(todo, chosen, strict=False))
            outcomes |= found
            todo = todo[len(prompts) :]
            good = {name: one for name, one in found.items() if isinstance(one, Choice)}
            if good and self._cache:
                self._cache.put(good)
            if all(isinstance(one, RetryableError | ConfigurationError) for one in chosen):
                return outcomes | dict.fromkeys(todo, chosen[-1])
        return outcomes

    def _choose(self, prompts: Sequence[Prompt], taken: int) -> list[ChoiceOrError]:
        """What the model says. Where it fails as a whole, the tokens that were set aside go back."""
        try:
            return self._backend.choose(prompts, self._writer.options)
        except Exception:
            if self._budget is not None:
                self._budget.correct(taken, 0)
            raise

    def _afford(self, prompts: list[Prompt]) -> tuple[list[Prompt], int]:
        """As many of these as the budget allows, all or a half or a quarter..., and the tokens set aside for them."""
        if self._budget is None:
            return prompts, 0
        while prompts:
            tokens = self._estimate(prompts)
            if self._budget.take(tokens):
                return prompts, tokens
            prompts = prompts[: len(prompts) // 2]
        return [], 0

    def _estimate(self, prompts: Sequence[Prompt]) -> int:
        return len(prompts) + math.ceil(_chars(prompts) * self._tokens_per_char)

    def _count(self, prompts: Sequence[Prompt], outcomes: Sequence[ChoiceOrError], taken: int) -> None:
        """Tell the budget what was really spent, and learn from it for the next estimate.

        A request that was given up may be billed all the same: it counts with its estimate.
        """
        both = list(zip(prompts, outcomes, strict=True))
        counted = [
            (prompt, found.tokens_in + found.tokens_out)
            for prompt, found in both
            if isinstance(found, Choice | InvalidAnswer) and found.tokens_in + found.tokens_out
        ]
        spent = sum(tokens for _, tokens in counted)
        if self._budget is not None:
            # A server that does not count tokens is believed to have taken what was estimated.
            told = spent > 0 or not any(isinstance(found, Choice) for found in outcomes)
            lost = sum(
                found.perhaps_billed * self._estimate([prompt])
                for prompt, found in both
                if isinstance(found, ModelUnavailable)
            )
            self._budget.correct(taken, spent + lost if told else max(taken, lost))
        chars = _chars([prompt for prompt, _ in counted])
        if spent and chars:
            self._tokens_per_char = spent / chars

    def _answer(self, outcome: ChoiceOrError, paid: bool) -> Answer:
        """What one outcome means; `paid` when its tokens are counted elsewhere."""
        spent = (0, 0)
        if not paid and isinstance(outcome, Choice | InvalidAnswer):
            spent = (outcome.tokens_in, outcome.tokens_out)
        if isinstance(outcome, Choice) and outcome.option not in self._writer.slugs:
            options = ", ".join(self._writer.options)
            outcome = InvalidAnswer(
                f"{self._backend.model}: expected one of {options}, found another option. Clear its cached answers"
            )
        if isinstance(outcome, OtzyvError):
            return Answer(None, outcome, *spent)
        return Answer(self._verdict(outcome), None, *spent)

    def _verdict(self, choice: Choice) -> Verdict | None:
        slug = self._writer.slugs[choice.option]
        if slug is None:
            return None
        sure = confidence(choice)
        evidence: dict[str, Any] = {"option": choice.option, "logprobs": None}
        if sure is None:
            return Verdict(slug, UNSCORED_CONFIDENCE, evidence | {"confidence": _FIXED})
        shown = {option: round(value, _DIGITS) for option, value in (choice.logprobs or {}).items()}
        return Verdict(
            slug, sure, evidence | {"logprobs": shown, "mass": round(mass(choice) or 0.0, _DIGITS)}
        )


def _chars(prompts: Sequence[Prompt]) -> int:
    return sum(len(prompt.system) + len(prompt.user) for prompt in prompts)
