"""A network with its tokenizer becomes an artefact: exported, compared, described, written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.classifiers.artefact import TOKENIZER, Artefact, save
from shared.classifiers.distribution import reference
from shared.classifiers.export import export
from shared.classifiers.location import Location
from shared.classifiers.manifest import Manifest
from shared.classifiers.model_card import model_card
from shared.classifiers.onnx_classifier import OnnxClassifier
from shared.taxonomy import Taxonomy


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a trained model. `files` are kept beside the graphs: weights and config by name."""

    network: Any
    architecture: str
    labels: tuple[str, ...]
    max_tokens: int
    tokenizer: bytes
    files: Mapping[str, bytes]
    temperature: float = 1.0
    origin: str = ""
    metrics: dict[str, float] = {}
    dataset: dict[str, Any] = {}


def package(made: Package, taxonomy: Taxonomy, sample: Sequence[str], location: Location) -> Artefact:
    """Export a model and write it to a location; what it says about `sample` is what later days are compared with.

    Raises ModelError where it cannot be exported, ModelUnavailable where it cannot be written.
    """
    exported = export(
        made.network,
        made.tokenizer,
        made.labels,
        sample,
        max_tokens=made.max_tokens,
        temperature=made.temperature,
    )
    serving = OnnxClassifier(
        exported.graphs[f"model.{exported.precision}.onnx"],
        made.tokenizer,
        made.labels,
        max_tokens=made.max_tokens,
        temperature=made.temperature,
    )
    manifest = Manifest(
        architecture=made.architecture,
        taxonomy=taxonomy.name,
        taxonomy_version=taxonomy.version,
        labels=made.labels,
        max_tokens=made.max_tokens,
        temperature=made.temperature,
        precision=exported.precision,
        export=exported.export,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        origin=made.origin,
        metrics=made.metrics,
        dataset=made.dataset,
        reference=reference(serving.predict(sample).probabilities, made.labels),
    )
    card = model_card(manifest).encode()
    return save(
        location,
        manifest,
        {**made.files, TOKENIZER: made.tokenizer, **exported.graphs, "README.md": card},
    )
