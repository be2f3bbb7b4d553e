"""What one process needs to label: database, taxonomy, stages. Built once per process, never before a fork."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import msgspec

from shared.cascade import Stage
from shared.labelling import Labeller
from shared.settings import Settings, settings
from shared.stages.keywords import KeywordStage
from shared.store import Database, taxonomies
from shared.taxonomy import Taxonomy, default_taxonomy

# How each stage that this version knows is built. A stage is loaded only where it runs.
STAGES: Mapping[str, Callable[[Taxonomy], Stage]] = {"keywords": KeywordStage}


class Runtime(msgspec.Struct, frozen=True):
    """The parts a process works with."""

    settings: Settings
    database: Database
    taxonomy: Taxonomy
    taxonomy_id: int


def open_database(chosen: Settings, application: str = "otzyv") -> Database:
    """The database that the settings name."""
    return Database(
        chosen.database_url,
        connections=chosen.database_connections,
        connect_timeout_s=chosen.connect_timeout_s,
        statement_timeout_s=chosen.statement_timeout_s,
        application=application,
    )


def load_taxonomy(chosen: Settings) -> Taxonomy:
    """The taxonomy in use. Raises TaxonomyError."""
    return default_taxonomy() if chosen.taxonomy is None else Taxonomy.load(chosen.taxonomy)


def build(chosen: Settings, database: Database | None = None) -> Runtime:
    """Load the taxonomy and note it in the database."""
    database = database or open_database(chosen)
    taxonomy = load_taxonomy(chosen)
    with database.transaction() as cursor:
        taxonomy_id = taxonomies.register(cursor, taxonomy.name, taxonomy.version, taxonomy.model_dump_json())
    return Runtime(chosen, database, taxonomy, taxonomy_id)


def labeller(runtime: Runtime, *stage_names: str, order: tuple[str, ...] | None = None) -> Labeller:
    """A cascade that can run `stage_names` here; `order` are the stages in use anywhere."""
    stages = {name: STAGES[name](runtime.taxonomy) for name in stage_names}
    thresholds = {name: threshold(runtime.settings, stage) for name, stage in stages.items()}
    return Labeller(
        runtime.database, runtime.taxonomy_id, order or runtime.settings.stages, stages, thresholds
    )


def threshold(chosen: Settings, stage: Stage) -> float:
    """The confidence from which a stage's verdict is kept: the setting, or the stage's own default."""
    chosen_values = (value for name, value in chosen.thresholds.items() if name == stage.name)
    return next(chosen_values, stage.default_threshold)


class PerProcess:
    """A labeller that each process builds for itself on first use, so that nothing is shared over a fork."""

    def __init__(self, *stage_names: str) -> None:
        self._stage_names = stage_names
        self._pid = 0
        self._labeller: Labeller | None = None

    def get(self) -> Labeller:
        """This process's labeller."""
        if self._labeller is None or self._pid != os.getpid():
            self._labeller = labeller(build(settings()), *self._stage_names)
            self._pid = os.getpid()
        return self._labeller
