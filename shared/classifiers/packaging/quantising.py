"""Graphs with int8 weights, and what of a graph stays in float all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from shared.classifiers.packaging.quietly import quietly

MULTIPLIES: Final = frozenset(
    {"MatMul", "Gemm", "Conv", "ConvTranspose", "LSTM", "GRU", "RNN", "Einsum", "Attention"}
)
"""Operators that do the work of a network with weights in float; those in int8 have other names."""
LOOKS_UP: Final = frozenset({"Gather", "GatherElements", "GatherND"})
OF_A_SIZE: Final = 1_024
"""Numbers of weights that are worth a word: those of a matrix of 32 by 32."""


Initialisers = frozenset[str]
"""The names of some weights."""


def quantised(graph: bytes) -> bytes:
    """The graph with int8 weights; activations are quantised as they come (dynamic quantisation).

    Weights use 7 bits: with 8, sums of products overflow on CPUs without VNNI instructions, so that a model would say
    other things there than where it was compared. A scale for each column makes up for the lost bit.

    Where that passes weights by, as those of an LSTM that other nodes put together, the graph is folded first, by ONNX
    Runtime's own pre-processing. That is no help where nothing was passed by: it may join nodes that are faster apart.
    """
    with TemporaryDirectory(prefix="otzyv-quantise-") as folder, quietly():
        before, folded, after = (Path(folder) / f"{name}.onnx" for name in ("fp32", "folded", "int8"))
        before.write_bytes(graph)
        _quantise(before, after)
        if left_in_float(after.read_bytes()):
            quant_pre_process(before, folded, skip_symbolic_shape=True)
            _quantise(folded, after)
        return after.read_bytes()


def _quantise(before: Path, after: Path) -> None:
    quantize_dynamic(before, after, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)


def left_in_float(graph: bytes) -> dict[str, int]:
    """Weights of a graph that multiply or are looked up in float: how many numbers, by the operator's kind.

    Only those of a size. Vectors, such as biases and norms, have to be in float.
    """
    sizes: dict[str, int] = {}
    left: Counter[str] = Counter()
    for kind, weights in _read(onnx.load_from_string(graph).graph, {}, sizes):
        found = sum(sizes[name] for name in weights)
        if found >= OF_A_SIZE:
            left[kind] += found
    return dict(left)


def _read(
    graph: Any, outside: Mapping[str, Initialisers], sizes: dict[str, int]
) -> Iterator[tuple[str, Initialisers]]:
    """Kinds of operators, and of what float weights each is given, in a graph and in those inside of its nodes.

    What is put together out of weights alone is weights too: `outside` says out of which, by name, and `sizes` gets how
    many numbers each has.
    """
    known = dict(outside)
    for one in graph.initializer:
        sizes[one.name], known[one.name] = _floats(one), frozenset({one.name})
    for node in graph.node:
        for part in node.attribute:
            yield from _read(part.g, known, sizes)
        given = [known.get(name) for name in node.input if name]
        weights: Initialisers = frozenset().union(*filter(None, given))
        if node.op_type == "Constant":
            name = node.output[0]
            sizes[name], known[name] = sum(_floats(part.t) for part in node.attribute), frozenset({name})
        elif given and None not in given:
            known |= dict.fromkeys(node.output, weights)
        elif node.op_type in MULTIPLIES | LOOKS_UP:
            yield node.op_type, weights


def _floats(tensor: Any) -> int:
    """Numbers of a matrix in float; 0 for a vector, and for whatever is no float."""
    if tensor.data_type != onnx.TensorProto.FLOAT or sum(size > 1 for size in tensor.dims) < 2:
        return 0
    return prod(tensor.dims)
