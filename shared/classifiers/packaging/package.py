"""A trained model becomes an artefact: a network is exported and compared first; both kinds are described and written.

Exporting needs torch, which is imported only then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.classifiers import linear
from shared.classifiers.artefact import TOKENIZER, Artefact, save
from shared.classifiers.classifier import Classifier
from shared.classifiers.linear import LinearClassifier
from shared.classifiers.location import Location
from shared.classifiers.manifest import NEWER_FORMAT, Manifest
from shared.classifiers.model_card import model_card
from shared.classifiers.onnx_classifier import OnnxClassifier
from shared.classifiers.pair import PairClassifier
from shared.errors import ModelError
from shared.quality.drift import Reference
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


class Pair(msgspec.Struct, frozen=True):
    """A linear model and a network that serve as one; `temperature` is that of their mean."""

    linear: LinearClassifier
    network: Package
    temperature: float


TrainedModel = Package | LinearClassifier | Pair
"""Whatever training makes."""


class Servable(msgspec.Struct, frozen=True):
    """What serves a model, its files, and what its manifest says before anybody has measured it."""

    classifier: Classifier
    contents: Mapping[str, bytes]
    manifest: Manifest


def package(made: TrainedModel, taxonomy: Taxonomy, sample: Sequence[str], location: Location) -> Artefact:
    """Make a model `servable` and write it to a location. Raises what `servable` and `written` do."""
    return written(servable(made, taxonomy, sample), location)


def servable(made: TrainedModel, taxonomy: Taxonomy, sample: Sequence[str]) -> Servable:
    """What serves a trained model: a linear one itself, a network as a graph that is compared with it on a sample.

    What it says about the sample is what later days are compared with. Raises ModelError without a sample or where the
    model cannot be exported.
    """
    if not sample:
        raise ModelError("packaging: expected reviews to compare on, found none; store some, or name a file")
    if isinstance(made, LinearClassifier):
        classifier: Classifier = made
        contents: Mapping[str, bytes] = linear.files(made)
        own: dict[str, Any] = {"architecture": "linear", "runtime": "linear", "max_tokens": 0}
        own |= {"precision": "fp32", "export": None}
        own |= {} if made.keywords is None else {"format": NEWER_FORMAT}
    elif isinstance(made, Pair):
        classifier, contents, own = paired(made, sample)
    else:
        classifier, contents, own = _exported(made, sample)
    manifest = Manifest(
        taxonomy=taxonomy.name,
        taxonomy_version=taxonomy.version,
        labels=classifier.labels,
        temperature=made.temperature,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        reference=Reference.of(classifier.predict(sample).probabilities, classifier.labels),
        **own,
    )
    return Servable(classifier, contents, manifest)


def paired(made: Pair, sample: Sequence[str]) -> tuple[Classifier, Mapping[str, bytes], dict[str, Any]]:
    network, contents, own = _exported(made.network, sample)
    own |= {
        "format": NEWER_FORMAT,
        "architecture": "pair",
        "runtime": "pair",
        "temperatures": (made.linear.temperature, made.network.temperature),
    }
    pair = PairClassifier(made.linear, network, temperature=made.temperature)
    return pair, {**contents, **linear.files(made.linear)}, own


def _exported(
    made: Package, sample: Sequence[str]
) -> tuple[OnnxClassifier, Mapping[str, bytes], dict[str, Any]]:
    from shared.classifiers.packaging.export import export

    limits: dict[str, Any] = {"max_tokens": made.max_tokens, "temperature": made.temperature}
    exported = export(made.network, made.tokenizer, made.labels, sample, **limits)
    own = {
        "architecture": made.architecture,
        "max_tokens": made.max_tokens,
        "precision": exported.precision,
        "export": exported.export,
        "origin": made.origin,
        "metrics": made.metrics,
    }
    graph = exported.graphs[f"model.{exported.precision}.onnx"]
    contents = {**made.files, TOKENIZER: made.tokenizer, **exported.graphs}
    return OnnxClassifier(graph, made.tokenizer, made.labels, **limits), contents, own


def written(
    ready: Servable,
    location: Location,
    *,
    metrics: Mapping[str, float] | None = None,
    dataset: Mapping[str, Any] | None = None,
) -> Artefact:
    """The artefact of a model. `metrics` are those of what serves, `dataset` says what it was trained on.

    Raises ModelUnavailable where it cannot be written.
    """
    known = ready.manifest
    both = {**known.metrics, **(metrics or {})}
    manifest = msgspec.structs.replace(known, metrics=both, dataset=dict(dataset or {}))
    card = model_card(manifest).encode()
    return save(location, manifest, {**ready.contents, "README.md": card})
