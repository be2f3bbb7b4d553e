"""What one process needs to label: database, taxonomy, stages. Built once per process, never before a fork."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from shared.cascade.stage import Stage, StageSource
from shared.errors import ConfigurationError, SettingsError
from shared.labelling.labeller import Labeller
from shared.labelling.rules import Rules
from shared.runtime import stages
from shared.runtime.per_process import PerProcess
from shared.runtime.stages import LazyStages
from shared.settings import Settings, settings
from shared.store import Database, taxonomies
from shared.taxonomy import Taxonomy, default_taxonomy

T = TypeVar("T")


class Runtime(msgspec.Struct, frozen=True):
    """The parts a process works with."""

    settings: Settings
    database: Database
    taxonomy: Taxonomy
    taxonomy_id: int


def open_database(chosen: Settings, application: str = "otzyv", *, by_keys: bool = False) -> Database:
    """The database that the settings name."""
    return Database(
        chosen.database_url,
        connections=chosen.database_connections,
        connect_timeout_s=chosen.connect_timeout_s,
        statement_timeout_s=chosen.statement_timeout_s,
        application=application,
        by_keys=by_keys,
    )


def load_taxonomy(chosen: Settings) -> Taxonomy:
    """The taxonomy in use. Raises TaxonomyError, or SettingsError for a threshold of a category that it lacks."""
    taxonomy = default_taxonomy() if chosen.taxonomy is None else Taxonomy.load(chosen.taxonomy)
    for name in chosen.thresholds:
        _, _, category = name.partition("/")
        if category and category not in taxonomy.slugs:
            raise SettingsError(
                f"OTZYV_THRESHOLDS: expected a category of the taxonomy {taxonomy.name} after the stage "
                f"({', '.join(taxonomy.slugs)}), found {name!r}"
            )
    return taxonomy


def build(chosen: Settings, database: Database | None = None) -> Runtime:
    """Load the taxonomy and note it in the database."""
    database = database or open_database(chosen)
    taxonomy = load_taxonomy(chosen)
    with database.transaction() as cursor:
        taxonomy_id = taxonomies.register(cursor, taxonomy.name, taxonomy.version, taxonomy.model_dump_json())
    return Runtime(chosen, database, taxonomy, taxonomy_id)


def for_batches(chosen: Settings) -> Runtime:
    """The same for a process that works on batches."""
    return build(chosen, open_database(chosen, by_keys=True))


def labeller(runtime: Runtime, order: tuple[str, ...] | None = None) -> Labeller:
    """A cascade of these stages, or else of those in the settings. A stage is built when it is first asked."""

    def make(name: str) -> Stage | StageSource:
        return stages.build(name, runtime.taxonomy, runtime.settings, runtime.database, runtime.taxonomy_id)

    return Labeller(
        runtime.database,
        runtime.taxonomy_id,
        order or runtime.settings.stages,
        LazyStages(make),
        Rules(runtime.taxonomy_id, runtime.settings.thresholds),
        withhold=runtime.settings.student_withheld,
    )


def stored_taxonomy(runtime: Runtime, taxonomy_id: int) -> Runtime:
    """The same with another taxonomy of the database. Raises ConfigurationError for one that is not there."""
    if taxonomy_id == runtime.taxonomy_id:
        return runtime
    with runtime.database.transaction() as cursor:
        document = taxonomies.document(cursor, taxonomy_id)
    if document is None:
        raise ConfigurationError(
            f"taxonomy {taxonomy_id}: expected it in the table taxonomies, found none; do all processes use "
            "the same OTZYV_DATABASE_URL?"
        )
    return Runtime(runtime.settings, runtime.database, Taxonomy.model_validate_json(document), taxonomy_id)


def of_taxonomies(make: Callable[[Runtime], T]) -> PerProcess[T]:
    """What a process makes, of its own runtime, for each taxonomy that batches come for; the two used last.

    A batch is worked on by the taxonomy that it was stored for, whatever this process's own file says.
    """
    return PerProcess(lambda taxonomy_id: make(stored_taxonomy(here(), taxonomy_id)))


def here() -> Runtime:
    """This process's runtime, by its settings."""
    return _RUNTIMES.get(0)


_RUNTIMES: Final = PerProcess(lambda _: for_batches(settings()))
