"""How fast the zero-shot stage is with a network of bge-m3's real shape, beside the device's own matrix peak.

Weights are random: speed does not depend on them, and nothing is downloaded. The stage is the real one, loaded
from a folder with tokenisation, packing and verdicts included; what it answers here means nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForSequenceClassification

from scripts.bench.shapes import BGE_M3, Shape
from scripts.bench.turns import CHUNK, about, chunked
from shared.compute.device import AUTO, device_for, dtype_for
from shared.stages.zero_shot.stage import TOKENS_PER_BATCH, ZeroShotStage
from shared.taxonomy import default_taxonomy

PEAK_SECONDS = 1.0
"""How long each size of matrix is multiplied to find the peak."""
PEAK_SIZES = {"cuda": (4_096, 8_192, 16_384), "mps": (2_048, 4_096), "cpu": (1_024, 2_048)}
"""Sides of the square matrices tried, by kind of device; the fastest counts."""
PIECES = 30_000
"""Vocabulary of the tokenizer trained on the texts."""
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")


def run(
    texts: Sequence[str],
    seconds: float,
    device: str = AUTO,
    *,
    shape: Shape = BGE_M3,
    tokens_per_batch: int = TOKENS_PER_BATCH,
    chunk: int = CHUNK,
) -> dict[str, Any]:
    """Reviews per second on one device, over at least `seconds` of wall-clock and one chunk.

    Identical texts are left out, since the stage scores them once. The tokenizer is trained on the texts, and its
    pieces are shorter than bge-m3's: compare `tokens_per_second`. bge-m3's shape takes some 3 GB of memory and disk.

    Keys: those of `_measured` and `turns.about`, and `load_seconds`, `parameters`, `categories`, `tokens_per_batch`,
    `device`, `dtype`. Raises ValueError where there are no texts, ConfigurationError where the device is not there.
    """
    texts = [text for text in dict.fromkeys(texts) if text.strip()]
    chunks, place = chunked(texts, chunk), device_for(device)
    dtype = dtype_for(AUTO, place)
    peak = matrix_peak(place, dtype)
    with TemporaryDirectory(prefix="otzyv-bench-") as folder:
        save_random(shape, texts, folder, place, dtype)
        before = time.perf_counter()
        stage = ZeroShotStage(default_taxonomy(), folder, device=device, tokens_per_batch=tokens_per_batch)
        loaded = time.perf_counter() - before
    return {
        **_measured(stage, shape, chunks, seconds, peak),
        "load_seconds": loaded,
        "parameters": sum(weight.numel() for weight in stage.nli.network.parameters()),
        "categories": len(stage.slugs),
        **about(texts, chunk),
        "tokens_per_batch": tokens_per_batch,
        "device": _device_name(place),
        "dtype": str(next(stage.nli.network.parameters()).dtype).removeprefix("torch."),
    }


def _measured(
    stage: ZeroShotStage, shape: Shape, chunks: list[Sequence[str]], seconds: float, peak: float
) -> dict[str, Any]:
    """The rates. One unmeasured chunk comes first.

    Keys: `reviews_per_second`, `pairs_per_second`, `tokens_per_second`, `flops_per_second` (see `Shape.flops`; both
    without padding), `peak_flops_per_second` (of a matrix product of that dtype), `share_of_peak`, `padding_share` (of
    the tokens computed), `tokens_per_pair`, `forwards_per_chunk`, `memory_bytes` (CUDA's own peak, else None).
    """
    lengths = [stage.tokens(chunk).ravel() for chunk in chunks]
    stage.answers(chunks[0])
    times = np.zeros(len(chunks), dtype=int)  # that each chunk was done
    forwards: list[int] = []  # tokens of each, padding included
    handle = stage.nli.network.register_forward_pre_hook(
        lambda _module, _args, inputs: forwards.append(inputs["input_ids"].numel()), with_kwargs=True
    )
    before = now = time.perf_counter()
    while now - before < seconds or not times.any():
        number = times.sum() % len(chunks)
        stage.answers(chunks[number])
        times[number] += 1
        now = time.perf_counter()
    handle.remove()
    spent = now - before
    pairs, tokens = (times @ [size(some) for some in lengths] for size in (len, np.sum))
    rate = times @ [shape.flops(some) for some in lengths] / spent
    device = stage.nli.device
    return {
        "reviews_per_second": times @ [len(chunk) for chunk in chunks] / spent,
        "pairs_per_second": pairs / spent,
        "tokens_per_second": tokens / spent,
        "flops_per_second": rate,
        "peak_flops_per_second": peak,
        "share_of_peak": rate / peak,
        "padding_share": 1 - tokens / sum(forwards),
        "tokens_per_pair": tokens / pairs,
        "forwards_per_chunk": len(forwards) / times.sum(),
        "memory_bytes": int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else None,
    }


def matrix_peak(device: Any, dtype: Any, sizes: Sequence[int] = (), seconds: float = PEAK_SECONDS) -> float:
    """Floating-point operations per second of the fastest square matrix product found, 2 n^3 each."""
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


def save_random(shape: Shape, texts: Sequence[str], folder: str, device: Any, dtype: Any) -> None:
    """Saves a two-way NLI model of this shape with random weights, and its tokenizer."""
    words = _trained(texts, shape)
    config = XLMRobertaConfig(
        **shape.config(),
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
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _device_name(device: Any) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"cpu, {torch.get_num_threads()} threads" if device.type == "cpu" else str(device)
