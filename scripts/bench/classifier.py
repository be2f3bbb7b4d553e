"""How fast predictions are on one core, beside what a user would write with transformers, torch or ONNX Runtime.

A network of rubert-tiny2's real shape with random weights: speed does not depend on them, and nothing is downloaded.
All ways get the same texts in the same chunks on one thread, by turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    pipeline,
)

from scripts.bench.shapes import RUBERT_TINY2
from scripts.bench.turns import Peer, about, chunked, rates
from shared.classifiers import OnnxClassifier
from shared.classifiers.onnx_classifier import LOGITS, padded, session
from shared.classifiers.packaging.export import to_onnx
from shared.classifiers.packaging.logits import Logits
from shared.classifiers.packaging.quantising import quantised
from shared.compute.packing import scored

MAX_TOKENS: Final = 512
TORCH_TOKENS: Final = 2_048
"""Tokens per batch of the sorted torch batches: the best of 256 to 8,192 for torch on one core."""
SPECIAL: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def run(texts: Sequence[str], seconds: float, tokenizer: Path | None, categories: int = 9) -> dict[str, Any]:
    """Reviews per second of each way on one core, over at least `seconds` of wall-clock in all.

    `tokenizer` is a folder with the real tokenizer; without it one is trained on the texts. Keys: `pipeline_1`,
    `pipeline_64`, `torch_sorted`, `ours_fp32`, `ours_int8`, `bare_int8` (reviews per second); `texts`, `mean_chars`,
    `mean_tokens`, `chunk`, `int8_bytes`. Raises ValueError where there are no texts.
    """
    chunks = chunked(texts)
    torch.set_num_threads(1)
    network, tokenize = untaught(texts, categories, tokenizer)
    told = tokenize.backend_tokenizer.to_str().encode()
    ids = [tokenize(text, truncation=True, max_length=MAX_TOKENS)["input_ids"] for text in texts]
    fp32 = next(to_onnx(Logits(network), ids, MAX_TOKENS))
    int8 = quantised(fp32)
    labels = [str(number) for number in range(categories)]
    ours = {
        name: OnnxClassifier(graph, told, labels, max_tokens=MAX_TOKENS)
        for name, graph in (("ours_fp32", fp32), ("ours_int8", int8))
    }
    ways: dict[str, Peer] = {
        "pipeline_1": _pipeline(network, tokenize, 1),
        "pipeline_64": _pipeline(network, tokenize, 64),
        "torch_sorted": _torch_sorted(network, tokenize),
        **{name: classifier.predict for name, classifier in ours.items()},
        "bare_int8": _bare(int8, ours["ours_int8"], chunks),
    }
    mean_tokens = sum(map(len, ids)) / len(ids)
    measured = rates(ways, chunks, seconds)
    return {**measured, **about(texts), "mean_tokens": mean_tokens, "int8_bytes": len(int8)}


def untaught(texts: Sequence[str], categories: int, tokenizer: Path | None = None) -> tuple[Any, Any]:
    """A network of that shape for so many categories, the same every time, and its tokenizer."""
    tokenize = _trained(texts) if tokenizer is None else AutoTokenizer.from_pretrained(tokenizer)
    torch.manual_seed(0)
    config = BertConfig(**RUBERT_TINY2.config(), num_labels=categories)
    return BertForSequenceClassification(config).eval(), tokenize


def _trained(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """A tokenizer of the same kind, whose pieces come from these texts."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106  no password
    made.normalizer = normalizers.BertNormalizer(lowercase=False)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=RUBERT_TINY2.vocabulary, special_tokens=list(SPECIAL))
    made.train_from_iterator(texts, trainer)
    ends = [(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return PreTrainedTokenizerFast(
        tokenizer_object=made, model_max_length=MAX_TOKENS, **dict(zip(names, SPECIAL, strict=True))
    )


def _pipeline(network: Any, tokenizer: Any, batch: int) -> Peer:
    """What the documentation of transformers shows, in float32 on the CPU."""
    classify = pipeline("text-classification", model=network, tokenizer=tokenizer, device="cpu")

    def work(texts: Sequence[str]) -> Any:
        return classify(list(texts), batch_size=batch, truncation=True, max_length=MAX_TOKENS)

    return work


def _torch_sorted(network: Any, tokenizer: Any) -> Peer:
    """Sorted batches of few tokens in torch: the same idea as ours without ONNX Runtime."""

    def work(texts: Sequence[str]) -> Any:
        ids = tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)["input_ids"]
        lengths = np.array([len(one) for one in ids])

        def answer(rows: Any) -> Any:
            inputs = {
                name: torch.from_numpy(part) for name, part in padded([ids[row] for row in rows]).items()
            }
            return network(**inputs).logits.softmax(dim=-1).numpy()

        with torch.inference_mode():
            return list(scored(lengths, TORCH_TOKENS, answer))

    return work


def _bare(graph: bytes, ours: OnnxClassifier, chunks: Sequence[Sequence[str]]) -> Peer:
    """Nothing but tokenisation and the calls of ONNX Runtime: batches are sorted, padded and ready beforehand."""
    runtime, ready = session(graph), {}
    for chunk in chunks:
        ids, _ = ours.tokens(chunk)
        lengths = np.array([len(one) for one in ids])
        batches = scored(lengths, ours.tokens_per_batch, lambda rows: rows)
        ready[chunk[0]] = [padded([ids[row] for row in rows]) for rows, _ in batches]

    def work(texts: Sequence[str]) -> Any:
        ours.tokens(texts)
        return [runtime.run([LOGITS], inputs) for inputs in ready[texts[0]]]

    return work
