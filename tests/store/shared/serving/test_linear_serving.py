"""A linear model as champion: promoted, served, exported, imported, and refused when it was tampered with."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from shared.classifiers import Artefact, Location, linear
from shared.classifiers.packaging.package import package
from shared.errors import ModelError
from shared.runtime import runtime
from shared.runtime.judging import predictor
from shared.serving.registry import Registry
from shared.settings import load
from shared.store import Database
from tests.support import tiny_linear
from tests.support.command import run_here
from tests.support.row_files import read_rows, write_rows
from tests.support.stored import TO_PREDICT, ask, review, take_reviews
from tests.support.tiny_linear import TEXTS


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def here(database: Database, models: Path) -> runtime.Runtime:
    return runtime.build(load().model_copy(update={"models": str(models)}), database)


@pytest.fixture
def registry(here: runtime.Runtime, models: Path) -> Registry:
    return Registry(here.database, Location(str(models)), here.taxonomy, here.taxonomy_id)


def made(registry: Registry, here: runtime.Runtime, regularisation: float = 1.0) -> Artefact:
    """An artefact at the registry's location."""
    return package(tiny_linear.model(regularisation), here.taxonomy, TEXTS, registry.location)


def take(here: runtime.Runtime, texts: list[str]) -> list[int]:
    reviews = (review(str(number), text) for number, text in enumerate(texts))
    return take_reviews(here.database, here.taxonomy_id, *reviews, **TO_PREDICT).unpredicted


def test_a_linear_champion_serves_and_is_rolled_back(
    registry: Registry, here: runtime.Runtime, database: Database
) -> None:
    first = registry.register(made(registry, here))
    second = registry.register(made(registry, here, 0.01))
    assert registry.promote(first, "champion", moved_by="test")
    serving = predictor(here)
    assert serving.run(take(here, TEXTS)).predicted == len(TEXTS)
    expected = tiny_linear.model().predict(TEXTS).probabilities
    found = ask(database, "SELECT category, probabilities, truncated FROM predictions ORDER BY review_id")
    labels = tiny_linear.model().labels
    for (category, shares, truncated), wanted in zip(found, expected, strict=True):
        assert category == labels[wanted.argmax()]
        assert shares == pytest.approx(wanted.tolist(), abs=1e-5)
        assert truncated is False
    assert registry.promote(second, "champion", moved_by="test")
    assert serving.run(take(here, [*TEXTS, "Кроссовки"])).model_id == second
    assert registry.rollback(moved_by="test") == first


def test_a_damaged_linear_model_is_not_promoted_and_its_reviews_wait(
    registry: Registry, here: runtime.Runtime, models: Path
) -> None:
    artefact = made(registry, here)
    number = registry.register(artefact)
    registry.promote(number, "champion", moved_by="test")
    path = models / artefact.path / linear.LINEAR
    path.write_bytes(path.read_bytes()[:1_000])
    with pytest.raises(ModelError, match="copy the file again"):
        registry.promote(number, "champion", moved_by="test")
    assert predictor(here).run(take(here, TEXTS)).parked == len(TEXTS)


def crafted(folder: Path, target: Path, name: str, content: bytes, **changes: Any) -> Path:
    """A copy of an artefact with another file, or another manifest, that agree with each other."""
    shutil.copytree(folder, target)
    (target / name).write_bytes(content)
    says = json.loads((target / "manifest.json").read_text())
    says["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (target / "manifest.json").write_text(json.dumps(says | changes))
    return target


def test_crafted_linear_models_are_not_taken_in(
    registry: Registry, here: runtime.Runtime, models: Path, tmp_path: Path
) -> None:
    good = models / made(registry, here).path
    weights = safetensors.numpy.load((good / linear.LINEAR).read_bytes())
    poisoned = {name: numbers.copy() for name, numbers in weights.items()}
    poisoned["coefficients"][7, 1] = np.nan
    words = json.loads((good / linear.VOCABULARY).read_text())

    def refused(name: str, content: bytes, **changes: Any) -> str:
        target = tmp_path / hashlib.sha256(content + repr(changes).encode()).hexdigest()
        with pytest.raises(ModelError) as error:
            registry.take_in(crafted(good, target, name, content, **changes))
        return str(error.value)

    same = (good / "README.md").read_bytes()
    assert "found NaN, infinity" in refused(linear.LINEAR, safetensors.numpy.save(poisoned))
    assert "expected readable weights" in refused(linear.LINEAR, b"\x00" * 100)
    assert "expected a model for the word vectors" in refused(
        linear.VOCABULARY, json.dumps(words | {"encoder": "navec/other"}).encode()
    )
    assert "expected each once" in refused(
        linear.VOCABULARY, json.dumps(words | {"pieces": ["ая "] * len(words["pieces"])}).encode()
    )
    assert "without an export and with max_tokens 0" in refused("README.md", same, max_tokens=64)
    assert "expected max_tokens from 3 to 8192, found 0" in refused("README.md", same, runtime="onnx")
    assert "expected how the graphs of the model came out" in refused(
        "README.md", same, runtime="onnx", max_tokens=64
    )
    assert "expected the manifest of a model" in refused("README.md", same, runtime="pickle")
    assert "expected a file vocabulary.json in the manifest" in refused(
        "README.md",
        same,
        files={"README.md": {"bytes": len(same), "sha256": hashlib.sha256(same).hexdigest()}},
    )
    assert registry.take_in(good).manifest.runtime == "linear"


def test_a_linear_model_is_listed_shown_exported_imported_and_predicts_a_file(
    registry: Registry, here: runtime.Runtime, database_url: str, models: Path, tmp_path: Path
) -> None:
    registry.register(made(registry, here))

    def ok(*arguments: str | Path) -> str:
        done = run_here(
            *arguments,
            OTZYV_DATABASE_URL=database_url,
            OTZYV_MODELS=str(models),
            OTZYV_AMQP_URL="amqp://127.0.0.1:1//",
        )
        assert done.returncode == 0, done.stderr
        return " ".join(done.stdout.split())

    assert "linear linear" in ok("models", "list")
    assert "without a graph" in ok("models", "show", "1")
    ok("models", "export", "1", tmp_path / "out")
    assert "registered as model 1" in ok("models", "import", tmp_path / "out")
    reviews = write_rows(tmp_path / "reviews.csv", [{"text": text} for text in TEXTS])
    ok("predict", reviews, "--out", tmp_path / "answers.csv", "--model", tmp_path / "out")
    rows = read_rows(tmp_path / "answers.csv")
    assert [row["category_slug"] for row in rows][:2] == ["clothes", "shoes"]
