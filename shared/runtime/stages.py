"""How each stage is built from the settings. A stage, and what it imports, is loaded only where it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from shared.cascade.stage import Stage
from shared.encoders.encoder import Encoder
from shared.settings import NAVEC, Settings
from shared.stages.keywords.stage import KeywordStage
from shared.stages.llm import (
    AnswerCache,
    Backend,
    Budget,
    ChatServer,
    Examples,
    LlmStage,
    MemoryCache,
    PromptWriter,
)
from shared.stages.llm.prompt import DEFAULT_TEMPLATE
from shared.store import Database, gold
from shared.store.llm_answers import StoredAnswers
from shared.store.llm_budget import DailyTokens
from shared.taxonomy import Taxonomy

if TYPE_CHECKING:
    from shared.stages.zero_shot.nli import NliModel

DEADLINE_S = 100
"""Seconds for one round of questions to a server; a message may be worked on for half an hour."""


def build(
    name: str, taxonomy: Taxonomy, settings: Settings, database: Database | None, taxonomy_id: int
) -> Stage:
    """The stage of that name. With a database, paid answers, the token budget and gold examples come from there.

    Raises ConfigurationError where its model or server cannot be used.
    """
    if name == "keywords":
        return KeywordStage(taxonomy)
    if name == "zero_shot":
        return _zero_shot(taxonomy, settings)
    if name == "similarity":
        from shared.stages.similarity import SimilarityStage

        return SimilarityStage(taxonomy, encoder(settings))
    return _llm(taxonomy, settings, database, taxonomy_id)


def _zero_shot(taxonomy: Taxonomy, settings: Settings) -> Stage:
    from shared.stages.zero_shot.stage import ZeroShotStage

    model = _nli(settings.zero_shot_model, settings.zero_shot_revision, settings.device, settings.dtype)
    return ZeroShotStage(taxonomy, model, tokens_per_batch=settings.zero_shot_tokens_per_batch)


# A process keeps each model once, however many taxonomies its batches are of.
@lru_cache(maxsize=1)
def _nli(model: str, revision: str, device: str, dtype: str) -> NliModel:
    from shared.stages.zero_shot.nli import load

    return load(model, revision or None, device, dtype)


def encoder(settings: Settings) -> Encoder:
    """The encoder of the similarity stage, one for the whole process."""
    return _encoder(settings.similarity_encoder, settings.similarity_revision, settings.device)


@lru_cache(maxsize=1)
def _encoder(name: str, revision: str, device: str) -> Encoder:
    if name == NAVEC:
        from shared.encoders.navec import NavecEncoder

        return NavecEncoder()
    from shared.encoders.sentence import SentenceEncoder

    return SentenceEncoder(name, device=None if device == "auto" else device, revision=revision or None)


def _llm(taxonomy: Taxonomy, settings: Settings, database: Database | None, taxonomy_id: int) -> LlmStage:
    cache: AnswerCache = MemoryCache() if database is None else StoredAnswers(database)
    budget: Budget | None = None
    if database is not None and settings.llm_daily_tokens:
        budget = DailyTokens(database, settings.llm_daily_tokens)
    return LlmStage(
        taxonomy,
        _backend(settings),
        writer=PromptWriter(taxonomy, template=settings.llm_prompt or DEFAULT_TEMPLATE),
        examples=_examples(settings, database, taxonomy_id),
        cache=cache,
        budget=budget,
    )


def _backend(settings: Settings) -> Backend:
    if not settings.llm_url:
        return _local_model(settings.llm_model, settings.llm_revision, settings.device, settings.dtype)
    return ChatServer(
        settings.llm_url,
        settings.llm_model,
        api_key=settings.llm_api_key.get_secret_value(),
        concurrency=settings.llm_concurrency,
        connect_timeout_s=settings.connect_timeout_s,
        timeout_s=settings.llm_timeout_s,
        deadline_s=DEADLINE_S,
        logprobs=settings.llm_logprobs,
        structured=settings.llm_structured,
        thinking_off=settings.llm_thinking_off,
        extra=settings.llm_extra,
    )


@lru_cache(maxsize=1)
def _local_model(model: str, revision: str, device: str, dtype: str) -> Backend:
    from shared.stages.llm.local import LocalModel

    return LocalModel(
        model,
        revision=revision or None,
        device="" if device == "auto" else device,
        dtype="" if dtype == "auto" else dtype,
    )


def _examples(settings: Settings, database: Database | None, taxonomy_id: int) -> Examples | None:
    if database is None or not settings.llm_examples:
        return None
    from shared.stages.llm.examples import NearestGold

    def load() -> Sequence[tuple[str, str]]:
        with database.transaction() as cursor:
            return [(row.text, row.category) for row in gold.rows(cursor, taxonomy_id)]

    return NearestGold(load, encoder(settings), settings.llm_examples)


class LazyStages(Mapping[str, Stage]):
    """Stages by name, each built when it is first asked for, so that one that cannot be built harms no other."""

    def __init__(self, names: Sequence[str], make: Callable[[str], Stage]) -> None:
        self._names = tuple(names)
        self._make = make
        self._made: dict[str, Stage] = {}

    def __getitem__(self, name: str) -> Stage:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
