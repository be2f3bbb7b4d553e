"""Two small real models for the nine categories, packaged once, and a registry over a database to put them in."""

from __future__ import annotations

import shutil
from pathlib import Path

from shared.classifiers import Artefact, Location
from shared.classifiers.packaging.hugging_face import read_folder
from shared.classifiers.packaging.package import package
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.serving.registry import Registry
from shared.settings import load
from shared.store import Database
from shared.taxonomy import default_taxonomy
from tests.support import tiny_classifier
from tests.support.tiny_classifier import TEXTS

SEEDS = {"first": 11, "second": 12, "third": 13}


class Models:
    """Artefacts of three models by name, in a folder to copy from."""

    def __init__(self, folder: Path) -> None:
        taxonomy = default_taxonomy()
        self.artefacts = folder / "artefacts"
        self.folders = {
            name: tiny_classifier.folder(folder / name, taxonomy.slugs, seed=seed)
            for name, seed in SEEDS.items()
        }
        location = Location(str(self.artefacts))
        self.paths = {
            name: package(read_folder(path, taxonomy), taxonomy, TEXTS[:50], location).path
            for name, path in self.folders.items()
        }

    def registry(self, database: Database, models: Path) -> tuple[Registry, dict[str, int]]:
        """A registry with the three models, whose artefacts lie in `models`, and their numbers."""
        shutil.copytree(self.artefacts, models, dirs_exist_ok=True)
        here = self.runtime(database, models)
        registry = Registry(database, Location(str(models)), here.taxonomy, here.taxonomy_id)
        numbers = {
            name: registry.register(Artefact(registry.location, path)) for name, path in self.paths.items()
        }
        return registry, numbers

    def runtime(self, database: Database, models: Path) -> Runtime:
        """A runtime with the default taxonomy."""
        return runtime.build(load().model_copy(update={"models": str(models)}), database)
