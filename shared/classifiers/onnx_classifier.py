"""Serves a model with ONNX Runtime: no torch, one thread, texts sorted by length into batches of few tokens.

One thread per process and a process per core beat several threads on one batch, whose rows are too small to share.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from tokenizers import Tokenizer

from shared.classifiers.classifier import Flags, Predictions, predicted
from shared.compute.arrays import Float32s, Int64s
from shared.compute.packing import scored
from shared.errors import ModelError

TOKENS_PER_BATCH: Final = 256
"""Padding included. Few, so that they stay in the core's cache: 4,096 are a third slower on rubert-tiny2."""

INPUT_IDS: Final = "input_ids"
ATTENTION_MASK: Final = "attention_mask"
LOGITS: Final = "logits"

# Its fused kernel is several times slower on CPUs than the addition and the norm that it replaces.
_DISABLED: Final = ["SkipLayerNormFusion"]


class Tokens:
    """Texts as ids of a model's vocabulary, cut at `max_tokens`. Raises ModelError for what is no tokenizer.json."""

    def __init__(self, tokenizer: bytes, max_tokens: int) -> None:
        # Its threads would take the cores of the other processes, and do not survive a fork.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        try:
            self._tokenizer = Tokenizer.from_buffer(tokenizer)
        except Exception as error:
            raise ModelError(
                f"tokenizer.json: expected a tokenizer of the library tokenizers, found: {error}"
            ) from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)

    @property
    def last_id(self) -> int:
        """The greatest number of any token."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=0)

    def __call__(self, texts: Sequence[str]) -> tuple[list[list[int]], Flags]:
        """Ids of each text, special ones included, and whether it was cut."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        truncated = np.array([bool(one.overflowing) for one in encodings], dtype=bool)
        return [one.ids for one in encodings], truncated


class OnnxClassifier:
    """Implements `shared.classifiers.Classifier`. Raises ModelError where graph or tokenizer cannot be read.

    `model` is an ONNX graph from `input_ids` and `attention_mask`, int64 of shape [n, tokens], to `logits` [n, k];
    `tokenizer` the content of a tokenizer.json; `labels` are k slugs, in the order of the logits, which are divided by
    `temperature`, above 0. Longer texts than `max_tokens` are cut; `tokens_per_batch` are the most tokens of one call
    of the network, padding included.
    """

    def __init__(
        self,
        model: bytes,
        tokenizer: bytes,
        labels: Sequence[str],
        *,
        max_tokens: int,
        temperature: float = 1.0,
        tokens_per_batch: int = TOKENS_PER_BATCH,
    ) -> None:
        self.labels = tuple(labels)
        self.tokens: Final = Tokens(tokenizer, max_tokens)
        self._session = session(model)
        self.temperature: Final = temperature
        self.tokens_per_batch: Final = tokens_per_batch

    def predict(self, texts: Sequence[str]) -> Predictions:
        """Probabilities for the texts, in their order; equal texts are computed once.

        Raises InvalidAnswer where the network gives something that is no number.
        """

        def score(distinct: list[str]) -> tuple[Float32s, Flags]:
            ids, truncated = self.tokens(distinct)
            return self.logits(ids), truncated

        return predicted(texts, score, self.temperature)

    def logits(self, ids: Sequence[Sequence[int]]) -> Float32s:
        """Logits for tokenised texts, shape [n, k], in their order. Raises ModelError for another shape."""
        logits = np.empty((len(ids), len(self.labels)), dtype=np.float32)
        lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))

        def run(rows: Int64s) -> Float32s:
            answer: Float32s = self._session.run([LOGITS], padded([ids[row] for row in rows]))[0]
            return answer

        for rows, answer in scored(lengths, self.tokens_per_batch, run):
            expected = len(rows), len(self.labels)
            if answer.shape != expected:
                raise ModelError(f"ONNX graph: expected logits of shape {expected}, found {answer.shape}")
            logits[rows] = answer
        return logits


def padded(ids: Sequence[Sequence[int]]) -> dict[str, Int64s]:
    """A network's inputs for tokenised texts: both of shape [n, longest], zeros behind the shorter ones.

    Whatever a tokenizer's padding id is: what the mask hides is not read.
    """
    width = max(map(len, ids))
    matrix = np.zeros((len(ids), width), dtype=np.int64)
    mask = np.zeros_like(matrix)
    for row, some in enumerate(ids):
        matrix[row, : len(some)] = some
        mask[row, : len(some)] = 1
    return {INPUT_IDS: matrix, ATTENTION_MASK: mask}


def session(model: bytes) -> Any:
    """An `onnxruntime.InferenceSession` on one core. Raises ModelError for what is no such graph."""
    # Models without a graph do without: it takes a tenth of a second, and leaves a file among the temporary ones.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        made = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], disabled_optimizers=_DISABLED
        )
    except Exception as error:
        raise ModelError(f"ONNX graph: expected one that ONNX Runtime can load, found: {error}") from error
    named = [one.name for one in made.get_inputs()], [one.name for one in made.get_outputs()]
    if named != ([INPUT_IDS, ATTENTION_MASK], [LOGITS]):
        raise ModelError(
            f"ONNX graph: expected the inputs {INPUT_IDS} and {ATTENTION_MASK} and the output {LOGITS}, found {named}"
        )
    return made
