"""What one process needs to label: database, taxonomy, stages. Built once per process, never before a fork."""

from __future__ import annotations

import os

import msgspec

from shared.cascade.stage import Stage
from shared.errors import ConfigurationError, SettingsError
from shared.labelling.labeller import Labeller
from shared.labelling.rules import Rules
from shared.runtime import stages
from shared.runtime.stages import LazyStages
from shared.settings import Settings, settings
from shared.store import Database, taxonomies
from shared.taxonomy import Taxonomy, default_taxonomy

LABELLERS_KEPT = 2


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
    slugs = [category.slug for category in taxonomy.categories]
    for name in chosen.thresholds:
        _, _, category = name.partition("/")
        if category and category not in slugs:
            raise SettingsError(
                f"OTZYV_THRESHOLDS: expected a category of the taxonomy {taxonomy.name} after the stage "
                f"({', '.join(slugs)}), found {name!r}"
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


def labeller(runtime: Runtime, *stage_names: str, order: tuple[str, ...] | None = None) -> Labeller:
    """A cascade that can run `stage_names` here; `order` are the stages in use anywhere."""

    def make(name: str) -> Stage:
        return stages.build(name, runtime.taxonomy, runtime.settings, runtime.database, runtime.taxonomy_id)

    return Labeller(
        runtime.database,
        runtime.taxonomy_id,
        order or runtime.settings.stages,
        LazyStages(stage_names, make),
        Rules(runtime.taxonomy_id, runtime.settings.thresholds),
    )


def stored_taxonomy(here: Runtime, taxonomy_id: int) -> Runtime:
    """The same with another taxonomy of the database. Raises ConfigurationError for one that is not there."""
    if taxonomy_id == here.taxonomy_id:
        return here
    with here.database.transaction() as cursor:
        document = taxonomies.document(cursor, taxonomy_id)
    if document is None:
        raise ConfigurationError(
            f"taxonomy {taxonomy_id}: expected it in the table taxonomies, found none; do ingest and worker use "
            "the same OTZYV_DATABASE_URL?"
        )
    return Runtime(here.settings, here.database, Taxonomy.model_validate_json(document), taxonomy_id)


class PerProcess:
    """Labellers that each process builds for itself on first use, so that nothing is shared over a fork.

    One for each taxonomy that batches come for, the two used last: a batch is labelled by the taxonomy that
    it was stored for, whatever this process's own file says.
    """

    def __init__(self, *stage_names: str) -> None:
        self._stage_names = stage_names
        self._pid = 0
        self._here: Runtime | None = None
        self._labellers: dict[int, Labeller] = {}
        self.last: Labeller | None = None

    def here(self) -> Runtime:
        """This process's runtime."""
        if self._here is None or self._pid != os.getpid():
            self._here, self._labellers, self._pid = for_batches(settings()), {}, os.getpid()
        return self._here

    def get(self, taxonomy_id: int | None = None) -> Labeller:
        """This process's labeller for a taxonomy of the database; None is the one in the settings."""
        here = self.here()
        wanted = here.taxonomy_id if taxonomy_id is None else taxonomy_id
        if wanted not in self._labellers:
            if len(self._labellers) >= LABELLERS_KEPT:
                self._labellers.pop(next(iter(self._labellers)))
            self._labellers[wanted] = labeller(stored_taxonomy(here, wanted), *self._stage_names)
        self.last = self._labellers[wanted] = self._labellers.pop(wanted)
        return self.last
