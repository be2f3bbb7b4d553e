"""How fast the zero-shot stage is with a network of bge-m3's real shape, beside the device's own matrix peak.

Weights are random: speed does not depend on them, and nothing is downloaded. The stage is the real one, loaded
from a folder with tokenisation, packing and verdicts included; what it answers here means nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.compute.device import AUTO, device_for, dtype_for
from shared.stages.zero_shot.stage import TOKENS_PER_BATCH, ZeroShotStage
from shared.taxonomy import default_taxonomy

CHUNK = 500
"""Texts per call: as many as a worker gets at once."""
PEAK_SECONDS = 1.0
"""How long each size of matrix is multiplied to find the peak."""
PEAK_SIZES = {"cuda": (4_096, 8_192, 16_384), "mps": (2_048, 4_096), "cpu": (1_024, 2_048)}
"""Sides of the square matrices tried, by kind of device; the fastest counts."""
PIECES = 30_000
"""Vocabulary of the tokenizer trained on the texts where no other is named."""
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of an XLM-RoBERTa encoder."""

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int

    def flops(self, lengths: NDArray[np.int64]) -> float:
        """Floating-point operations that pairs of so many tokens need, padding left out.

        A matrix product of m x k and k x n counts 2mkn. For one pair of n tokens, with hidden size h,
        intermediate size f and L layers:

            L * (8 n h^2          queries, keys, values and output
                 + 4 n^2 h        scores, and values weighed by them
                 + 4 n h f)       feed-forward, up and down

        For f = 4h that is 24 n h^2 + 4 n^2 h a layer, the forward count of Narayanan et al., "Efficient
        Large-Scale Language Model Training on GPU Clusters" (SC 2021, appendix). Embeddings, norms, softmax
        and the head of the first token are left out: together below 1 % for bge-m3.
        """
        n = lengths.astype(np.float64)
        h, f = self.hidden, self.intermediate
        return float(self.layers * (8 * n * h * h + 4 * n * n * h + 4 * n * h * f).sum())


BGE_M3 = Shape(layers=24, hidden=1_024, heads=16, intermediate=4_096, vocabulary=250_002, positions=8_194)


def run(
    texts: Sequence[str],
    seconds: float,
    device: str = AUTO,
    *,
    dtype: str = AUTO,
    shape: Shape = BGE_M3,
    tokenizer: Path | None = None,
    tokens_per_batch: int = TOKENS_PER_BATCH,
    chunk: int = CHUNK,
) -> dict[str, Any]:
    """Reviews per second on one device, over at least `seconds` of wall-clock and one chunk.

    Identical texts are left out, since the stage scores them once. `tokenizer` is a folder with a fast
    tokenizer; without it one is trained on the texts, whose pieces are not as long as bge-m3's, so compare
    `tokens_per_second` then. For bge-m3's shape this takes some 3 GB of memory and of disk to set up.

    Keys: `reviews_per_second`, `pairs_per_second`, `tokens_per_second` (without padding),
    `flops_per_second` (those needed, see `Shape.flops`), `peak_flops_per_second` (the fastest square matrix
    product of the same dtype, measured first), `share_of_peak` (their ratio), `padding_share` (of the tokens
    computed), `tokens_per_pair`, `forwards_per_chunk`, `memory_bytes` (CUDA's own peak, else None),
    `load_seconds`, `parameters`, `categories`, `texts`, `mean_chars`, `chunk`, `tokens_per_batch`, `device`,
    `dtype`.

    Raises:
        ValueError: there are no texts.
        ConfigurationError: the device is not there.
    """
    texts = [text for text in dict.fromkeys(texts) if text.strip()]
    if not texts:
        raise ValueError("expected at least one text to measure with, found none")
    place = device_for(device)
    peak = matrix_peak(place, dtype_for(dtype, place))
    stage, loaded = _stage(shape, texts, tokenizer, device, dtype, tokens_per_batch)
    chunks = [texts[at : at + chunk] for at in range(0, len(texts), chunk)]
    return {
        **_measured(stage, shape, chunks, seconds, peak),
        "load_seconds": loaded,
        "parameters": sum(weight.numel() for weight in stage.nli.network.parameters()),
        "categories": len(stage.slugs),
        "texts": len(texts),
        "mean_chars": sum(map(len, texts)) / len(texts),
        "chunk": chunk,
        "tokens_per_batch": tokens_per_batch,
        "device": _device_name(place),
        "dtype": str(next(stage.nli.network.parameters()).dtype).removeprefix("torch."),
    }


def _stage(
    shape: Shape, texts: Sequence[str], tokenizer: Path | None, device: str, dtype: str, tokens_per_batch: int
) -> tuple[ZeroShotStage, float]:
    """A stage on random weights of this shape, and the seconds it took to load them."""
    place = device_for(device)
    with TemporaryDirectory(prefix="otzyv-bench-") as folder:
        save_random(shape, texts, Path(folder), tokenizer, place, dtype_for(dtype, place))
        before = time.perf_counter()
        stage = ZeroShotStage(
            default_taxonomy(), folder, device=device, dtype=dtype, tokens_per_batch=tokens_per_batch
        )
        return stage, time.perf_counter() - before


def _measured(
    stage: ZeroShotStage, shape: Shape, chunks: list[list[str]], seconds: float, peak: float
) -> dict[str, Any]:
    """The rates. One unmeasured chunk comes first."""
    lengths = [stage.tokens(chunk).ravel() for chunk in chunks]
    flops = [shape.flops(some) for some in lengths]
    stage.answers(chunks[0])
    done: list[int] = []
    order = cycle(range(len(chunks)))
    with _forwards(stage) as forwards:
        before = now = time.perf_counter()
        while now - before < seconds or not done:
            number = next(order)
            stage.answers(chunks[number])
            done.append(number)
            now = time.perf_counter()
    spent = now - before
    pairs = sum(len(lengths[number]) for number in done)
    tokens = sum(int(lengths[number].sum()) for number in done)
    rate = sum(flops[number] for number in done) / spent
    return {
        "reviews_per_second": sum(len(chunks[number]) for number in done) / spent,
        "pairs_per_second": pairs / spent,
        "tokens_per_second": tokens / spent,
        "flops_per_second": rate,
        "peak_flops_per_second": peak,
        "share_of_peak": rate / peak,
        "padding_share": 1 - tokens / sum(forwards),
        "tokens_per_pair": tokens / pairs,
        "forwards_per_chunk": len(forwards) / len(done),
        "memory_bytes": _peak_memory(stage.nli.device),
    }


@contextmanager
def _forwards(stage: ZeroShotStage) -> Iterator[list[int]]:
    """Collects the tokens of every forward pass, padding included."""
    tokens: list[int] = []

    def note(_module: Any, _args: Any, inputs: dict[str, Any]) -> None:
        tokens.append(inputs["input_ids"].numel())

    handle = stage.nli.network.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield tokens
    finally:
        handle.remove()


def matrix_peak(device: Any, dtype: Any, sizes: Sequence[int] = (), seconds: float = PEAK_SECONDS) -> float:
    """Floating-point operations per second of the fastest square matrix product found, 2 n^3 each."""
    import torch

    best = 0.0
    for size in sizes or PEAK_SIZES[device.type]:
        one, other = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        product = one @ other
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            _wait(device)
            before = time.perf_counter()
            for _ in range(4):
                torch.matmul(one, other, out=product)
            _wait(device)
            best = max(best, 4 * 2 * size**3 / (time.perf_counter() - before))
    return best


def save_random(
    shape: Shape, texts: Sequence[str], folder: Path, tokenizer: Path | None, device: Any, dtype: Any
) -> None:
    """Saves a two-way NLI model of this shape with random weights, and its tokenizer."""
    import torch
    from transformers import AutoTokenizer, XLMRobertaConfig, XLMRobertaForSequenceClassification

    words = _trained(texts, shape) if tokenizer is None else AutoTokenizer.from_pretrained(tokenizer)
    config = XLMRobertaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate,
        max_position_embeddings=shape.positions,
        type_vocab_size=2,
        pad_token_id=words.pad_token_id,
        label2id={"entailment": 0, "not_entailment": 1},
        id2label={0: "entailment", 1: "not_entailment"},
    )
    with torch.device(device):
        network = XLMRobertaForSequenceClassification(config)
    network.to(dtype).save_pretrained(folder)
    words.save_pretrained(folder)


def _trained(texts: Sequence[str], shape: Shape) -> Any:
    """A tokenizer of word pieces from the texts themselves, with the pairs of XLM-RoBERTa."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    start, padding, end, unknown = SPECIAL
    pieces = Tokenizer(models.BPE(unk_token=unknown))
    pieces.normalizer = normalizers.NFKC()
    pieces.pre_tokenizer = pre_tokenizers.Metaspace()
    size = min(PIECES, shape.vocabulary)
    sentences = [category.zero_shot_label for category in default_taxonomy().categories]
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(SPECIAL), show_progress=False)
    pieces.train_from_iterator([*texts, *sentences, default_taxonomy().hypothesis], trainer)
    pieces.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {end} $B {end}",
        special_tokens=[(start, 0), (end, 2)],
    )
    names = {"bos_token": start, "eos_token": end, "pad_token": padding, "unk_token": unknown}
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        model_max_length=shape.positions - 2,
        model_input_names=["input_ids", "attention_mask"],
        **names,
    )


def _wait(device: Any) -> None:
    """Until the device has done all that was asked of it."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _peak_memory(device: Any) -> int | None:
    import torch

    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else None


def _device_name(device: Any) -> str:
    import torch

    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"cpu, {torch.get_num_threads()} threads" if device.type == "cpu" else str(device)
