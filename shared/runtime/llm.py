"""The LLM stage out of the settings and the store: who is asked, with which examples, within which budget."""

from __future__ import annotations

from functools import lru_cache

from shared.settings import Settings
from shared.stages.llm import Backend, ChatServer, LlmStage, MemoryCache, PromptWriter
from shared.stages.llm.examples import NearestGold
from shared.stages.llm.local import LocalModel
from shared.stages.llm.prompt import DEFAULT_TEMPLATE
from shared.stages.parts import StageParts
from shared.stages.similarity import encoder
from shared.store import Database, gold
from shared.store.llm.answers import StoredAnswers
from shared.store.llm.budget import DailyTokens

DEADLINE_S = 100
"""Seconds for one round of questions to a server; a message may be worked on for half an hour."""


def build(parts: StageParts) -> LlmStage:
    """The stage for a taxonomy. Raises ConfigurationError where its model or server cannot be used."""
    chosen = parts.settings
    database: Database | None = parts.database

    def checked() -> list[tuple[str, str]]:
        assert database is not None  # noqa: S101  for mypy
        with database.transaction() as cursor:
            return [(row.text, row.category) for row in gold.rows(cursor, parts.taxonomy_id)]

    shown = chosen.llm_examples if database else 0
    limit = chosen.llm_daily_tokens
    return LlmStage(
        parts.taxonomy,
        backend(chosen),
        writer=PromptWriter(parts.taxonomy, template=chosen.llm_prompt or DEFAULT_TEMPLATE),
        examples=NearestGold(checked, encoder(chosen), shown) if shown else None,
        cache=StoredAnswers(database) if database else MemoryCache(),
        budget=DailyTokens(database, limit) if database and limit else None,
    )


def backend(chosen: Settings) -> Backend:
    """Who is asked: a server, or a model in this process, one for all taxonomies."""
    if not chosen.llm_url:
        return _local_model(chosen.llm_model, chosen.llm_revision, chosen.device, chosen.dtype)
    return ChatServer(
        chosen.llm_url,
        chosen.llm_model,
        api_key=chosen.llm_api_key.get_secret_value(),
        concurrency=chosen.llm_concurrency,
        connect_timeout_s=chosen.connect_timeout_s,
        timeout_s=chosen.llm_timeout_s,
        deadline_s=DEADLINE_S,
        logprobs=chosen.llm_logprobs,
        structured=chosen.llm_structured,
        thinking_off=chosen.llm_thinking_off,
        extra=chosen.llm_extra,
    )


@lru_cache(maxsize=1)
def _local_model(model: str, revision: str, device: str, dtype: str) -> Backend:
    return LocalModel(model, revision=revision or None, device=device, dtype=dtype)
