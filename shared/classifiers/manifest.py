"""What an artefact says of itself: `manifest.json`, from which everything else in its folder is checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec

from shared.errors import ModelError
from shared.quality.drift import BINS, Reference

FORMAT: Final = 1
NEWER_FORMAT: Final = 2
"""Of a linear model with keyword features and of a pair, which an older Otzyv cannot serve."""
NAME: Final = "manifest.json"
LEAST_TOKENS: Final = 3
"""The two special ones and one of the text."""
MOST_TOKENS: Final = 8_192
TEMPERATURES: Final = (0.01, 100.0)

_NAME: Final = re.compile(r"[\w.+-]{1,100}")

Precision = Literal["int8", "fp32"]
ModelRuntime = Literal["onnx", "linear", "pair"]
"""What serves: a graph in ONNX Runtime, `shared.classifiers.linear`, or both as `shared.classifiers.pair`."""


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


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`labels` are slugs in the order of the logits; `precision` is the graph that serves.

    The linear runtime has no graph, so `export` is None and `precision` is fp32; it reads whole texts, so `max_tokens`
    is 0. A pair has the `temperatures` of its linear model and of its network; `temperature` is that of their mean.
    """

    format: int = FORMAT
    architecture: str
    taxonomy: str
    taxonomy_version: str
    labels: tuple[str, ...]
    max_tokens: int
    temperature: float
    temperatures: tuple[float, ...] = ()
    precision: Precision
    export: Export | None
    created_at: str
    origin: str = ""
    metrics: dict[str, float] = {}
    dataset: dict[str, Any] = {}
    reference: Reference | None = None
    files: dict[str, File] = {}
    runtime: ModelRuntime = "onnx"

    @property
    def graph(self) -> str:
        """The file name of the graph that serves."""
        return f"model.{self.precision}.onnx"


def encode(manifest: Manifest) -> bytes:
    """The content of manifest.json."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=2)


def decode(content: bytes, place: str) -> Manifest:
    """Raises ModelError, in which `place` says where the manifest lies."""
    if rb"\u0000" in content:
        raise ModelError(f"{place}: expected text, found a NUL character in it")
    try:
        found = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ModelError(
            f"{place}: expected the manifest of a model, found something else: {error}"
        ) from error
    if found.format not in (FORMAT, NEWER_FORMAT):
        raise ModelError(
            f"{place}: expected format {FORMAT} or {NEWER_FORMAT}, found {found.format}; install the newer Otzyv "
            "that made it"
        )
    if (fault := next(_faults(found), None)) is not None:
        raise ModelError(f"{place}: {fault}")
    return found


def _faults(found: Manifest) -> Iterator[str]:
    """Names that lead out of an artefact's folder, and numbers that no model has."""
    names = (found.taxonomy, found.architecture)
    wrong = [name for name in names if not _NAME.fullmatch(name) or not _is_inside(name)]
    wrong += [name for name in found.files if not _is_inside(name)]
    if wrong:
        yield f"expected names of files inside of the model's folder, found {wrong[0]!r}"
    least, most = TEMPERATURES
    for temperature in (found.temperature, *found.temperatures):
        if not least <= temperature <= most:
            yield f"expected a temperature from {least} to {most}, found {temperature}"
    if len(found.temperatures) != (2 if found.runtime == "pair" else 0):
        yield f"expected temperatures of two members for a pair, and none for others, found {len(found.temperatures)}"
    if found.runtime == "linear":
        if (found.max_tokens, found.export) != (0, None):
            yield "expected a linear model without an export and with max_tokens 0, found others"
    elif not LEAST_TOKENS <= found.max_tokens <= MOST_TOKENS:
        yield f"expected max_tokens from {LEAST_TOKENS} to {MOST_TOKENS}, found {found.max_tokens}"
    elif found.export is None:
        yield "expected how the graphs of the model came out, found no export"
    says = found.reference
    if says and (sorted(says.categories) != sorted(found.labels) or len(says.confidences) != BINS):
        yield (
            f"expected a reference with a share for each label and {BINS} bins of confidence, found "
            f"{len(says.categories)} and {len(says.confidences)}"
        )


def _is_inside(name: str) -> bool:
    parts = name.split("/")
    return not ({"", ".", ".."} & set(parts) or "\\" in name or "\x00" in name)
