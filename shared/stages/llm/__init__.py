"""The LLM stage: one question per review, answered with one letter out of a closed list.

What is asked is `prompt`, how a review is kept from being more than data is `quotation`, what an answer is
worth is `choice`, who is asked is `server` (any OpenAI-compatible one) or `local` (transformers in this process).
Nothing of torch is imported before a `LocalModel` is made.
"""

from __future__ import annotations

from shared.stages.llm.cache import MemoryCache
from shared.stages.llm.choice import Backend, Choice, ChoiceOrError, confidence
from shared.stages.llm.prompt import Prompt, PromptWriter
from shared.stages.llm.server import UNSCORED, ChatServer
from shared.stages.llm.stage import LlmStage, is_unscored

__all__ = [
    "UNSCORED",
    "Backend",
    "ChatServer",
    "Choice",
    "ChoiceOrError",
    "LlmStage",
    "MemoryCache",
    "Prompt",
    "PromptWriter",
    "confidence",
    "is_unscored",
]
