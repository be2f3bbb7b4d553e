"""What an artefact says of itself: `manifest.json`, from which everything else in its folder is checked."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from shared.errors import ModelError

FORMAT: Final = 1
NAME: Final = "manifest.json"

Precision = Literal["int8", "fp32"]


class File(msgspec.Struct, frozen=True):
    """A file of the artefact: its size and the SHA-256 of its content, in hexadecimal."""

    bytes: int
    sha256: str


class Agreement(msgspec.Struct, frozen=True):
    """How an exported graph compares with the torch model on a sample of texts.

    `same` is the share of texts with the same likeliest category, `difference` the largest of any probability.
    """

    same: float
    difference: float


class Export(msgspec.Struct, frozen=True):
    """How the graphs came out. `fallback` says why fp32 serves, and is empty where int8 does."""

    texts: int
    fp32: Agreement
    int8: Agreement | None
    fallback: str = ""


class Reference(msgspec.Struct, frozen=True):
    """What the model said about the texts it was made for: shares by category, and of confidences in ten equal bins."""

    texts: int
    categories: dict[str, float]
    confidences: tuple[float, ...]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`labels` are slugs in the order of the logits; `precision` is the graph that serves."""

    format: int = FORMAT
    architecture: str
    taxonomy: str
    taxonomy_version: str
    labels: tuple[str, ...]
    max_tokens: int
    temperature: float
    precision: Precision
    export: Export
    created_at: str
    origin: str = ""
    metrics: dict[str, float] = {}
    dataset: dict[str, Any] = {}
    reference: Reference | None = None
    files: dict[str, File] = {}

    @property
    def graph(self) -> str:
        """The file name of the graph that serves."""
        return f"model.{self.precision}.onnx"


def encode(manifest: Manifest) -> bytes:
    """The content of manifest.json."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=2)


def decode(content: bytes, place: str) -> Manifest:
    """Raises ModelError, in which `place` says where the manifest lies."""
    try:
        found = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise ModelError(
            f"{place}: expected the manifest of a model, found something else: {error}"
        ) from error
    if found.format != FORMAT:
        raise ModelError(
            f"{place}: expected format {FORMAT}, found {found.format}; install the newer Otzyv that made it"
        )
    return found
