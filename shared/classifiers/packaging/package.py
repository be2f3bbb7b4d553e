"""A trained model becomes an artefact: a network is exported and compared first; both kinds are described and written.

Exporting needs torch, which is imported only then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec

from shared.classifiers import linear
from shared.classifiers.artefact import TOKENIZER, Artefact, save
from shared.classifiers.classifier import Classifier
from shared.classifiers.linear import LinearClassifier
from shared.classifiers.location import Location
from shared.classifiers.manifest import Export, Manifest, ModelRuntime, Precision
from shared.classifiers.model_card import model_card
from shared.classifiers.onnx_classifier import OnnxClassifier
from shared.errors import ModelError
from shared.quality.drift import Reference
from shared.taxonomy import Taxonomy

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


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


class _Servable(msgspec.Struct, frozen=True, kw_only=True):
    """What serves a model, its files, and what its manifest says of them."""

    classifier: Classifier
    contents: Mapping[str, bytes]
    architecture: str
    max_tokens: int
    temperature: float
    precision: Precision
    export: Export | None
    runtime: ModelRuntime
    origin: str = ""
    metrics: dict[str, float] = {}
    dataset: dict[str, Any] = {}


def package(
    made: Package | LinearClassifier,
    taxonomy: Taxonomy,
    sample: Sequence[str],
    location: Location,
    *,
    measure: Callable[[Classifier], dict[str, float]] | None = None,
    dataset: Mapping[str, Any] = NOTHING,
) -> Artefact:
    """Export a model and write it to a location; what it says about `sample` is what later days are compared with.

    `measure` gives metrics of what will serve, which may be an int8 graph; `dataset` says what it was trained on.

    Raises ModelError without a sample or where it cannot be exported, ModelUnavailable where it cannot be written.
    """
    if not sample:
        raise ModelError("packaging: expected reviews to compare on, found none; store some, or name a file")
    ready = _linear(made) if isinstance(made, LinearClassifier) else _network(made, sample)
    labels = ready.classifier.labels
    manifest = Manifest(
        architecture=ready.architecture,
        taxonomy=taxonomy.name,
        taxonomy_version=taxonomy.version,
        labels=labels,
        max_tokens=ready.max_tokens,
        temperature=ready.temperature,
        precision=ready.precision,
        export=ready.export,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        origin=ready.origin,
        metrics=ready.metrics | (measure(ready.classifier) if measure else {}),
        dataset=ready.dataset | dict(dataset),
        reference=Reference.of(ready.classifier.predict(sample).probabilities, labels),
        runtime=ready.runtime,
    )
    card = model_card(manifest).encode()
    return save(location, manifest, {**ready.contents, "README.md": card})


def _linear(made: LinearClassifier) -> _Servable:
    return _Servable(
        classifier=made,
        contents=linear.files(made),
        architecture="linear",
        max_tokens=0,
        temperature=made.temperature,
        precision="fp32",
        export=None,
        runtime="linear",
    )


def _network(made: Package, sample: Sequence[str]) -> _Servable:
    from shared.classifiers.packaging.export import export

    exported = export(
        made.network,
        made.tokenizer,
        made.labels,
        sample,
        max_tokens=made.max_tokens,
        temperature=made.temperature,
    )
    return _Servable(
        classifier=OnnxClassifier(
            exported.graphs[f"model.{exported.precision}.onnx"],
            made.tokenizer,
            made.labels,
            max_tokens=made.max_tokens,
            temperature=made.temperature,
        ),
        contents={**made.files, TOKENIZER: made.tokenizer, **exported.graphs},
        architecture=made.architecture,
        max_tokens=made.max_tokens,
        temperature=made.temperature,
        precision=exported.precision,
        export=exported.export,
        runtime="onnx",
        origin=made.origin,
        metrics=made.metrics,
        dataset=made.dataset,
    )
