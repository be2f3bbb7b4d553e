"""Judging before storing, and predicting, out of the settings and the store."""

from __future__ import annotations

from shared.catalogue import light_stages
from shared.intake.judging import Judging
from shared.runtime.runtime import Runtime, labeller
from shared.serving.predictor import Predictor
from shared.serving.shelf import place_of_models


def predictor(runtime: Runtime) -> Predictor:
    """The predictor for a runtime's taxonomy."""
    return Predictor(
        runtime.database,
        place_of_models(runtime.database, runtime.settings.models),
        runtime.taxonomy_id,
        runtime.taxonomy.name,
        runtime.taxonomy.slugs,
    )


def judging(runtime: Runtime) -> Judging:
    """The stages that need no GPU, and the champion where predictions are wanted."""
    chosen = runtime.settings
    return Judging(
        labeller(runtime), light_stages(chosen), predictor(runtime) if chosen.predictions else None
    )
