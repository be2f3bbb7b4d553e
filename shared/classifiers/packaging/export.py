"""From a trained torch model to the graphs that serve: exported, quantised, and compared with the model on a sample."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from shared.classifiers.classifier import softmax
from shared.classifiers.manifest import Agreement, Export, Precision
from shared.classifiers.onnx_classifier import (
    ATTENTION_MASK,
    INPUT_IDS,
    LOGITS,
    OnnxClassifier,
    Tokens,
    padded,
)
from shared.classifiers.packaging.first_token import first_token_only
from shared.compute.arrays import Float32s
from shared.encoders.pretrained import kind_and_line, usable
from shared.errors import ModelError

LEAST_SAME: Final = 0.995
"""Share of the sample's texts on which a graph must name the category that the torch model names."""
MOST_FP32_DIFFERENCE: Final = 1e-3
"""Of any probability: an fp32 graph computes the same numbers in another order, and no more."""
MOST_REWRITING_DIFFERENCE: Final = 1e-4
"""Of any logit, between the model and the model with a shortened last layer, relative to the largest."""


class Exported(msgspec.Struct, frozen=True):
    """Graphs by file name, the one that serves, and how they compare."""

    graphs: dict[str, bytes]
    precision: Precision
    export: Export


class Logits(nn.Module):  # type: ignore[misc]  # torch is Any to mypy
    """A model of transformers as a network from ids and mask to logits."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Both of shape [n, tokens]; returns [n, k]."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def export(
    network: nn.Module,
    tokenizer: bytes,
    labels: Sequence[str],
    sample: Sequence[str],
    *,
    max_tokens: int,
    temperature: float = 1.0,
) -> Exported:
    """Both graphs of a network from (input_ids, attention_mask) to logits, and which of them serves.

    `sample` are texts of the kind that will be classified. int8 serves unless it cannot be made or names another
    category too often; then fp32 does, and `Export.fallback` says why. Raises ModelError where there is no sample, the
    network cannot be exported, or its fp32 graph does not compute what it does.
    """
    if not sample:
        raise ModelError(
            "export: expected texts to compare the graphs on, found none; name a file of reviews"
        )
    ids, _ = Tokens(tokenizer, max_tokens)(sample)
    network = network.eval()
    truth = softmax(torch_logits(network, ids), temperature)
    fp32 = to_onnx(network, ids, max_tokens)

    def compared(graph: bytes) -> Agreement:
        served = OnnxClassifier(graph, tokenizer, labels, max_tokens=max_tokens, temperature=temperature)
        found = softmax(served.logits(ids), temperature)
        alike = (truth.argmax(axis=1) == found.argmax(axis=1)).mean()
        return Agreement(float(alike), float(np.abs(truth - found).max()))

    same = compared(fp32)
    if same.same < LEAST_SAME or same.difference > MOST_FP32_DIFFERENCE:
        raise ModelError(
            f"export: expected a graph that computes what the model does, found the same category for {same.same:.2%} "
            f"of {len(sample)} texts and probabilities up to {same.difference:.2g} apart; the model cannot serve"
        )
    graphs = {"model.fp32.onnx": fp32}
    found, why = _try_int8(graphs, compared, len(sample))
    return Exported(graphs, "fp32" if why else "int8", Export(len(sample), same, found, why))


def _try_int8(
    graphs: dict[str, bytes], compared: Callable[[bytes], Agreement], texts: int
) -> tuple[Agreement | None, str]:
    """Add an int8 graph, if it can be made: how it compares, and why it does not serve, or an empty text."""
    try:
        int8 = quantised(graphs["model.fp32.onnx"])
        found = compared(int8)
    except Exception as error:  # noqa: BLE001  whatever goes wrong, fp32 is there
        return None, f"int8 failed: {kind_and_line(error)}"
    graphs["model.int8.onnx"] = int8
    if found.same >= LEAST_SAME:
        return found, ""
    return (
        found,
        f"int8 names the same category for {found.same:.2%} of {texts} texts, expected {LEAST_SAME:.1%}",
    )


def torch_logits(network: nn.Module, ids: Sequence[Sequence[int]], rows: int = 32) -> Float32s:
    """Logits of a torch network for tokenised texts, shape [n, k]: what a graph is compared with."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(ids), rows):
            inputs = map(torch.from_numpy, padded(ids[start : start + rows]).values())
            parts.append(network(*inputs).float().numpy())
    return np.concatenate(parts)


def to_onnx(network: nn.Module, ids: Sequence[Sequence[int]], max_tokens: int) -> bytes:
    """The network as an fp32 graph. `ids` are a few tokenised texts to trace and compare it with.

    Raises ModelError where torch cannot export it.
    """
    model = getattr(network, "model", network)
    few = ids[:8]
    with _eager_attention(model):
        before = torch_logits(network, few)
        with first_token_only(model) as shortened:
            apart = np.abs(torch_logits(network, few) - before).max() if shortened else np.inf
            if apart <= MOST_REWRITING_DIFFERENCE * np.abs(before).max():
                return _traced(network, few, max_tokens)
        return _traced(network, few, max_tokens)


@contextmanager
def _eager_attention(model: Any) -> Iterator[None]:
    """Attention as plain matrix products, where the model can choose: their graph is 1.4 times as fast in int8."""
    before = getattr(getattr(model, "config", None), "_attn_implementation", None)
    if before is None:
        yield
        return
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _traced(network: nn.Module, ids: Sequence[Sequence[int]], max_tokens: int) -> bytes:
    # At least two rows of at least three tokens: an exporter takes a size of one for a constant.
    example = padded([*ids, [0, 0, 0], [0, 0, 0]][-8:])
    dims = {0: torch.export.Dim("rows"), 1: torch.export.Dim("tokens", max=max_tokens)}
    with TemporaryDirectory(prefix="otzyv-export-") as folder, _quietly():
        path = Path(folder) / "model.onnx"
        with usable("export", "a network that torch.onnx can export"):
            torch.onnx.export(
                network.eval(),
                tuple(map(torch.from_numpy, example.values())),
                path,
                input_names=[INPUT_IDS, ATTENTION_MASK],
                output_names=[LOGITS],
                dynamic_shapes={INPUT_IDS: dims, ATTENTION_MASK: dims},
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        return path.read_bytes()


def quantised(graph: bytes) -> bytes:
    """The graph with int8 weights; activations are quantised as they come (dynamic quantisation).

    Weights use 7 bits: with 8, sums of products overflow on CPUs without VNNI instructions, so that a model would say
    other things there than where it was compared. A scale for each column makes up for the lost bit.
    """
    with TemporaryDirectory(prefix="otzyv-quantise-") as folder, _quietly():
        before, after = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        before.write_bytes(graph)
        quantize_dynamic(before, after, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
        return after.read_bytes()


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporters' remarks about themselves: what matters is checked afterwards."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
