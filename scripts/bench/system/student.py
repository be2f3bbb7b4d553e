"""A student for a benchmark: taught by the keyword stage on the benchmark's texts, champion in its database."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from shared.catalogue import load
from shared.classifiers import Location
from shared.classifiers.packaging.package import package
from shared.runtime import runtime
from shared.serving.registry import Registry
from shared.settings import Settings

SAMPLE = 200
"""Texts that its reference for drift is taken on."""
STAGES = {
    "OTZYV_CASCADE_STAGES": "keywords,similarity,student",
    "OTZYV_THRESHOLDS": '{"student": 0.85}',
}


def enrol(settings: Settings, texts: Sequence[str], folder: Path) -> dict[str, str]:
    """Register a student in the database; returns the settings of processes in which it judges."""
    models = str(folder / "models")
    with closing(runtime.open_database(settings, "otzyv bench")) as database:
        here = runtime.build(settings, database)
        registry = Registry(database, Location(models), here.taxonomy, here.taxonomy_id)
        # Loaded here: benchmarks without a student do without scikit-learn.
        model, _ = load("scripts.bench.linear:taught")(texts, here.taxonomy)
        number = registry.register(package(model, here.taxonomy, texts[:SAMPLE], registry.location))
        registry.promote(number, "champion", moved_by="otzyv bench")
    return {**STAGES, "OTZYV_MODELS": models}
