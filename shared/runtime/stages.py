"""Stages out of the table of stages. A stage, and what it imports, is loaded only where it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import msgspec

from shared import catalogue
from shared.cascade.stage import Stage
from shared.settings import Settings
from shared.store import Database
from shared.taxonomy import Taxonomy


class StoredParts(msgspec.Struct, frozen=True):
    """Implements `shared.stages.parts.StageParts`, with the store where there is one.

    With a database, paid answers, the token budget and gold examples come from there.
    """

    taxonomy: Taxonomy
    settings: Settings
    database: Database | None
    taxonomy_id: int


def build(
    name: str, taxonomy: Taxonomy, settings: Settings, database: Database | None = None, taxonomy_id: int = 0
) -> Stage:
    """The stage of that name. Raises ConfigurationError where its model or server cannot be used."""
    make = catalogue.load(catalogue.STAGES[name].code)
    return cast("Stage", make(StoredParts(taxonomy, settings, database, taxonomy_id)))


class LazyStages(dict[str, Stage]):
    """Stages by name, each built when it is first asked for, so that one that cannot be built harms no other."""

    def __init__(self, make: Callable[[str], Stage]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: str) -> Stage:
        self[name] = self._make(name)
        return self[name]
