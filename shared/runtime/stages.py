"""Stages out of the table of stages. A stage, and what it imports, is loaded only where it runs."""

from __future__ import annotations

from collections.abc import Callable

from shared.cascade.stage import Stage, StageSource
from shared.catalogue import STAGES, load
from shared.settings import Settings
from shared.stages.parts import StageParts
from shared.store import Database
from shared.taxonomy import Taxonomy


def build(
    name: str, taxonomy: Taxonomy, settings: Settings, database: Database | None = None, taxonomy_id: int = 0
) -> Stage | StageSource:
    """The stage of that name, or what gives it.

    With a database, paid answers, the token budget, gold examples and registered models come from there. Raises
    ConfigurationError where its model or server cannot be used.
    """
    stage: Stage | StageSource = load(STAGES[name].code)(
        StageParts(taxonomy, settings, database, taxonomy_id)
    )
    return stage


class LazyStages(dict[str, Stage | StageSource]):
    """Stages by name, each built when it is first asked for, so that one that cannot be built harms no other."""

    def __init__(self, make: Callable[[str], Stage | StageSource]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: str) -> Stage | StageSource:
        self[name] = self._make(name)
        return self[name]
