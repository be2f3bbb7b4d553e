"""Answers that have been paid for, so that nobody pays twice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.stages.llm.choice import Choice
from shared.stages.llm.prompt import Prompt


class AnswerCache(Protocol):
    """Keeps choices by key. It may forget; it may not mix up."""

    def get(self, keys: Sequence[str]) -> Mapping[str, Choice]:
        """The choices that are known, by key."""

    def put(self, choices: Mapping[str, Choice]) -> None:
        """Remember choices by key."""


def key(prompt: Prompt, model: str) -> str:
    """64 hex digits of SHA-256 over text, prompt and model.

    The review and its examples are part of the prompt as it is sent: with other examples it is asked again, and
    texts that read the same in the prompt are one. `model` includes the version of the prompt's template.
    """
    parts = (model, prompt.system, prompt.user)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class MemoryCache:
    """Implements `AnswerCache` in this process. Of more than `most`, a kilobyte each, the oldest ones go."""

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._choices: dict[str, Choice] = {}

    def get(self, keys: Sequence[str]) -> Mapping[str, Choice]:
        return {name: self._choices[name] for name in keys if name in self._choices}

    def put(self, choices: Mapping[str, Choice]) -> None:
        self._choices.update(choices)
        for name in list(self._choices)[: max(0, len(self._choices) - self._most)]:
            del self._choices[name]
