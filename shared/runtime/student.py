"""The stage `student` out of the settings and the register."""

from __future__ import annotations

from functools import partial

from shared.catalogue import STUDENT
from shared.errors import ConfigurationError
from shared.serving import standing
from shared.serving.loader import Loader
from shared.serving.shelf import place_of_models
from shared.serving.student import Student
from shared.stages.parts import StageParts


def build(parts: StageParts) -> Student:
    """The source of the stage for a taxonomy. Raises ConfigurationError where there is no database to look into."""
    if parts.database is None:
        raise ConfigurationError(
            f"{STUDENT}: expected a database in which models are registered, found none; name a folder with --store, "
            "or the server with OTZYV_DATABASE_URL"
        )
    taxonomy, settings = parts.taxonomy, parts.settings
    models = place_of_models(parts.database, settings.models)
    loader = Loader(parts.database, models, parts.taxonomy_id, taxonomy.slugs)
    return Student(
        parts.database,
        loader,
        partial(
            standing.standing,
            taxonomy=taxonomy.name,
            taxonomy_id=parts.taxonomy_id,
            slugs=taxonomy.slugs,
            order=settings.stages,
            chosen=standing.chooses(settings.thresholds),
        ),
        partial(standing.candidate, taxonomy=taxonomy.name, slugs=taxonomy.slugs),
    )
