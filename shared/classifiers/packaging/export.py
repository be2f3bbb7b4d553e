"""From a trained torch model to the graphs that serve: exported, quantised, and compared with the model on a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
import numpy as np
import torch
from torch import nn

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
from shared.classifiers.packaging.logits import torch_logits
from shared.classifiers.packaging.quantising import left_in_float, quantised
from shared.classifiers.packaging.quietly import quietly
from shared.classifiers.packaging.rewriting import rewritten
from shared.encoders.pretrained import kind_and_line
from shared.errors import ModelError

LEAST_SAME: Final = 0.995
"""Share of the sample's texts on which a graph must name the category that the torch model names."""
MOST_FP32_DIFFERENCE: Final = 1e-3
"""Of any probability: an fp32 graph computes the same numbers in another order, and no more."""


class Exported(msgspec.Struct, frozen=True):
    """Graphs by file name, the one that serves, and how they compare."""

    graphs: dict[str, bytes]
    precision: Precision
    export: Export


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
    ids += _extremes(ids, max_tokens)
    network = network.eval()
    truth = softmax(torch_logits(network, ids), temperature)

    def compared(graph: bytes, texts: int) -> Agreement:
        served = OnnxClassifier(graph, tokenizer, labels, max_tokens=max_tokens, temperature=temperature)
        found = softmax(served.logits(ids[:texts]), temperature)
        alike = (truth[:texts].argmax(axis=1) == found.argmax(axis=1))[: len(sample)].mean()
        return Agreement(float(alike), float(np.abs(truth[:texts] - found).max()))

    fp32, same = _agreeing(to_onnx(network, ids, max_tokens), lambda graph: compared(graph, len(ids)))
    graphs = {"model.fp32.onnx": fp32}
    found, why = _try_int8(graphs, lambda graph: compared(graph, len(sample)), len(sample))
    return Exported(graphs, "fp32" if why else "int8", Export(len(sample), same, found, why))


def _extremes(ids: Sequence[Sequence[int]], max_tokens: int) -> list[list[int]]:
    """The shortest text and one of the greatest length: a graph may have taken the sample's lengths for all."""
    tokens = [token for one in ids for token in one]
    shortest = min(range(len(ids)), key=lambda place: len(ids[place]))
    return [list(ids[shortest]), (tokens * -(-max_tokens // len(tokens)))[:max_tokens]]


def _agreeing(graphs: Iterable[bytes], compared: Callable[[bytes], Agreement]) -> tuple[bytes, Agreement]:
    """The first graph that computes what the model does, and how it compares. Raises ModelError where none does."""
    found = ""
    for graph in graphs:
        try:
            same = compared(graph)
        except Exception as error:  # noqa: BLE001  ONNX Runtime has many kinds, and other graphs may do
            found = kind_and_line(error)
            continue
        if same.same >= LEAST_SAME and same.difference <= MOST_FP32_DIFFERENCE:
            return graph, same
        found = f"{same.same:.2%} of the categories the same, probabilities up to {same.difference:.2g} apart"
    raise ModelError(
        f"export: expected a graph that computes what the model does, for texts of any length, found {found}; the "
        "model cannot serve: choose one of another architecture"
    )


def _try_int8(
    graphs: dict[str, bytes], compared: Callable[[bytes], Agreement], texts: int
) -> tuple[Agreement | None, str]:
    """Add an int8 graph, if it can be made: how it compares, and why it does not serve, or an empty text."""
    try:
        int8 = quantised(graphs["model.fp32.onnx"])
        left = left_in_float(int8)
        found = compared(int8)
    except Exception as error:  # noqa: BLE001  whatever goes wrong, fp32 is there
        return None, f"int8 failed: {kind_and_line(error)}"
    if left:
        told = ", ".join(f"{count:,} of {kind}" for kind, count in sorted(left.items()))
        return None, f"int8 leaves weights in float ({told})"
    graphs["model.int8.onnx"] = int8
    if found.same >= LEAST_SAME:
        return found, ""
    return (
        found,
        f"int8 names the same category for {found.same:.2%} of {texts} texts, expected {LEAST_SAME:.1%}",
    )


def to_onnx(network: nn.Module, ids: Sequence[Sequence[int]], max_tokens: int) -> Iterator[bytes]:
    """The network as fp32 graphs, the fastest first: where one does not compute what the network does, take the next.

    `ids` are a few tokenised texts to trace it with. Raises ModelError where torch cannot export it.
    """
    few, graph = ids[:8], None
    with rewritten(network, few) as changed, suppress(ModelError):
        graph = _traced(network, few, max_tokens) if changed else None
    if graph is not None:
        yield graph
    yield _traced(network, few, max_tokens)


def _traced(network: nn.Module, ids: Sequence[Sequence[int]], max_tokens: int) -> bytes:
    # At least two rows of at least three tokens: an exporter takes a size of one for a constant.
    example = padded([*ids, [0, 0, 0], [0, 0, 0]][-8:])
    # Or the second LSTM of a process gets a fixed length (findings/torch-onnx-export-forgets-dynamic.sh).
    torch.ops.aten.lstm.input._dispatch_cache.clear()
    dims = {0: torch.export.Dim("rows"), 1: torch.export.Dim("tokens", max=max_tokens)}
    with TemporaryDirectory(prefix="otzyv-export-") as folder, quietly():
        path = Path(folder) / "model.onnx"
        try:
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
        except Exception as error:
            # What torch.onnx raises is advice on reporting bugs; what it met is the cause.
            met = error.__cause__ if isinstance(error.__cause__, Exception) else error
            raise ModelError(
                f"export: expected a network that torch.onnx can export, found: {kind_and_line(met)}; choose a model "
                "of another architecture"
            ) from error
        return path.read_bytes()
