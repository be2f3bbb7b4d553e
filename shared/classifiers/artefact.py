"""A registered model as files: manifest, weights, graphs, tokenizer, card. What is read is checked first."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec

from shared.classifiers import linear
from shared.classifiers import manifest as manifests
from shared.classifiers.classifier import Classifier
from shared.classifiers.location import Location
from shared.classifiers.manifest import File, Manifest
from shared.classifiers.onnx_classifier import OnnxClassifier
from shared.errors import ModelError

TOKENIZER: Final = "tokenizer.json"
WEIGHTS: Final = "model.safetensors"
PICKLES: Final = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")
"""Files of these kinds can run code when they are loaded: they are refused, wherever a model comes from."""


class Artefact:
    """The artefact at `path` below a location, named by the SHA-256 of its manifest.

    Raises ModelError where the manifest is missing, malformed, or another one than `sha256`.
    """

    def __init__(self, location: Location, path: str, sha256: str | None = None) -> None:
        self.path = path
        self._location = location
        content = location.read(f"{path}/{manifests.NAME}")
        self.sha256 = hashlib.sha256(content).hexdigest()
        place = f"{location.url}/{path}/{manifests.NAME}"
        if sha256 is not None and sha256 != self.sha256:
            raise ModelError(
                f"{place}: expected SHA-256 {sha256[:12]}…, found {self.sha256[:12]}…; it was changed since it was "
                "registered: restore it, or serve another model"
            )
        self.manifest: Manifest = manifests.decode(content, place)

    def read(self, name: str) -> bytes:
        """The content of a file. Raises ModelError unless it is what the manifest says."""
        expected = self.manifest.files.get(name)
        if expected is None:
            raise ModelError(f"{self.path}: expected a file {name} in the manifest, found none")
        content = self._location.read(f"{self.path}/{name}")
        place, found = f"{self._location.url}/{self.path}/{name}", hashlib.sha256(content).hexdigest()
        if len(content) != expected.bytes:
            raise ModelError(
                f"{place}: expected {expected.bytes:,} bytes, found {len(content):,}; copy the file again"
            )
        if found != expected.sha256:
            raise ModelError(
                f"{place}: expected SHA-256 {expected.sha256[:12]}…, found {found[:12]}…; copy the file again"
            )
        return content

    @property
    def served(self) -> tuple[str, ...]:
        """The files that a worker reads to serve."""
        return linear.FILES if self.manifest.runtime == "linear" else (self.manifest.graph, TOKENIZER)

    def classifier(self) -> Classifier:
        """The model, ready to serve. Raises ModelError."""
        says = self.manifest
        if says.runtime == "linear":
            contents = {name: self.read(name) for name in self.served}
            return linear.read(contents, says.labels, says.temperature)
        return OnnxClassifier(
            self.read(says.graph),
            self.read(TOKENIZER),
            says.labels,
            max_tokens=says.max_tokens,
            temperature=says.temperature,
        )


def save(location: Location, manifest: Manifest, contents: Mapping[str, bytes]) -> Artefact:
    """Write an artefact, whose manifest gets the sizes and the SHA-256 of its files."""
    files = {
        name: File(len(content), hashlib.sha256(content).hexdigest()) for name, content in contents.items()
    }
    content = manifests.encode(msgspec.structs.replace(manifest, files=files))
    sha256 = hashlib.sha256(content).hexdigest()
    return put(location, manifest, sha256, {**contents, manifests.NAME: content})


def put(location: Location, manifest: Manifest, sha256: str, contents: Mapping[str, bytes]) -> Artefact:
    """Write files in their order. The manifest comes last: a folder without one is not an artefact."""
    path = f"{manifest.taxonomy}/{manifest.architecture}-{sha256[:12]}"
    for name, content in contents.items():
        location.write(f"{path}/{name}", content)
    return Artefact(location, path, sha256)
