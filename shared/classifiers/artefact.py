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
from shared.classifiers.pair import PairClassifier
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
        if sha256 not in (None, hashlib.sha256(content).hexdigest()):
            content = location.original(f"{path}/{manifests.NAME}") or content
        self.document: Final = content
        """The manifest as it is written."""
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
        expected = self._file(name)
        path = f"{self.path}/{name}"
        content = self._location.read(path)
        if differs(expected, content) and (original := self._location.original(path)) is not None:
            content = original
        if difference := differs(expected, content):
            raise ModelError(f"{self._location.url}/{path}: {difference}; copy the file again")
        return content

    def check_at_hand(self) -> None:
        """Raises ModelError unless each file that is served can be read, and has its size; its content is not read."""
        for name in self.served:
            path, expected = f"{self.path}/{name}", self._file(name).bytes
            if (found := self._location.size(path)) != expected:
                raise ModelError(
                    f"{self._location.url}/{path}: expected {expected:,} bytes, found {found:,}; copy the file again"
                )

    def _file(self, name: str) -> File:
        if name not in self.manifest.files:
            raise ModelError(f"{self.path}: expected a file {name} in the manifest, found none")
        return self.manifest.files[name]

    @property
    def served(self) -> tuple[str, ...]:
        """The files that a worker reads to serve."""
        graph = self.manifest.graph, TOKENIZER
        if self.manifest.runtime == "onnx":
            return graph
        keywords = (linear.KEYWORDS,) if linear.KEYWORDS in self.manifest.files else ()
        return (*linear.FILES, *keywords, *(graph if self.manifest.runtime == "pair" else ()))

    def classifier(self) -> Classifier:
        """The model, ready to serve. Raises ModelError."""
        says = self.manifest
        contents = {name: self.read(name) for name in self.served}
        if says.runtime == "linear":
            return linear.read(contents, says.labels, says.temperature)
        own, of_network = says.temperatures or (1.0, says.temperature)
        network = OnnxClassifier(
            contents[says.graph],
            contents[TOKENIZER],
            says.labels,
            max_tokens=says.max_tokens,
            temperature=of_network,
        )
        if says.runtime == "onnx":
            return network
        return PairClassifier(linear.read(contents, says.labels, own), network, temperature=says.temperature)


def differs(expected: File, content: bytes) -> str:
    """How some content differs from a file's, in size or by its sum; empty where it does not."""
    if len(content) != expected.bytes:
        return f"expected {expected.bytes:,} bytes, found {len(content):,}"
    found = hashlib.sha256(content).hexdigest()
    return (
        "" if found == expected.sha256 else f"expected SHA-256 {expected.sha256[:12]}…, found {found[:12]}…"
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
