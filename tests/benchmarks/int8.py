"""What quantising makes of an exported model: size, time, and how far its logits are from those of fp32.

`python -m tests.benchmarks.int8 folder reviews.csv`, where `folder` is what `otzyv models export` wrote. Beside the way
that exports take: quantising alone, without folding the graph first, and folding it whatever is passed by.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import typer
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from shared.classifiers import OnnxClassifier, softmax
from shared.classifiers import manifest as manifests
from shared.classifiers.packaging.quantising import left_in_float, quantised
from shared.classifiers.packaging.quietly import quietly
from tests.benchmarks.small_encoder import texts_of

TEXTS, TURNS, CALL_ROWS, CALL_TOKENS = 1_000, 7, 10, 24
ALONE = 5
"""Each text whose number is a multiple is also asked about alone: int8 scales by the largest value of a batch."""


def plainly(graph: bytes, *, fold: bool) -> bytes:
    """Quantised at once, or after folding."""
    with TemporaryDirectory() as folder, quietly():
        before, folded, after = (Path(folder) / name for name in ("fp32.onnx", "folded.onnx", "int8.onnx"))
        before.write_bytes(graph)
        if fold:
            quant_pre_process(before, folded, skip_symbolic_shape=True)
        quantize_dynamic(
            folded if fold else before,
            after,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
        )
        return after.read_bytes()


def main(folder: Path, reviews: Path, text_column: str = "text") -> None:
    """Print a row for each way."""
    says = manifests.decode((folder / manifests.NAME).read_bytes(), str(folder))
    tokenizer, fp32 = (folder / "tokenizer.json").read_bytes(), (folder / "model.fp32.onnx").read_bytes()
    graphs = {
        "fp32": fp32,
        "int8, quantised alone": plainly(fp32, fold=False),
        "int8, folded whatever is passed by": plainly(fp32, fold=True),
        "int8, as exported now": quantised(fp32),
    }
    served = {
        name: OnnxClassifier(graph, tokenizer, says.labels, max_tokens=says.max_tokens)
        for name, graph in graphs.items()
    }
    ids, _ = served["fp32"].tokens(texts_of(reviews, text_column)[:TEXTS])
    call = [(one * CALL_TOKENS)[:CALL_TOKENS] for one in ids[:CALL_ROWS]]
    took: dict[str, list[float]] = {name: [] for name in served}
    for _ in range(TURNS):
        for name, one in served.items():
            began = time.process_time()
            for _ in range(20):
                one.logits(call)
            took[name].append((time.process_time() - began) / 20 * 1e3)
    truth = served["fp32"].logits(ids)
    for name, one in served.items():
        found = one.logits(ids)
        same = (found.argmax(axis=1) == truth.argmax(axis=1)).mean()
        apart = max(
            float(np.abs(softmax(one.logits(part)) - softmax(found[first : first + len(part)])).max())
            for first in range(0, len(ids), ALONE)
            for part in [ids[first : first + 1]]
        )
        left = ", ".join(f"{count:,} of {kind}" for kind, count in left_in_float(graphs[name]).items())
        print(
            f"| {name} | {len(graphs[name]) / 1e6:.2f} MB | {median(took[name]):.2f} ms | "
            f"{np.abs(found - truth).max():.4f} | {np.abs(found - truth).mean():.4f} | {same:.2%} | {apart:.4f} | "
            f"{left or 'none'} |"
        )


if __name__ == "__main__":
    typer.run(main)
