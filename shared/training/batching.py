"""Batches to train on: texts of like length together, so that little is padding, in an order that only seed and epoch
decide.

transformers' own sampler by length draws its order from the state of torch's random numbers: a run that is taken up in
the middle of an epoch would see other batches than the run that was not interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from shared.classifiers.onnx_classifier import INPUT_IDS, padded

POOL: Final = 20
"""Batches whose texts are sorted by length together. More leave less padding, and less chance in what is a batch."""
FEATURES: Final = "features"
LABELS: Final = "labels"


class ByLength(Sampler):  # type: ignore[misc]  # torch is Any to mypy
    """Numbers of texts in the order in which an epoch reads them; each `rows` after one another are a training step.

    `lengths` are those of the texts, in tokens. Every epoch has another order by the same seed.
    """

    def __init__(self, lengths: Sequence[int], rows: int, seed: int) -> None:
        self._lengths = np.asarray(lengths)
        self._rows = rows
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer at the beginning of an epoch, counted from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        chance = np.random.default_rng((self._seed, self._epoch))
        order = chance.permutation(len(self._lengths))
        size = self._rows * POOL
        pools = [order[start : start + size] for start in range(0, len(order), size)]
        ordered = np.concatenate([pool[np.argsort(self._lengths[pool], kind="stable")] for pool in pools])
        batches = [ordered[start : start + self._rows] for start in range(0, len(ordered), self._rows)]
        last = [batches.pop()] if len(batches[-1]) < self._rows else []
        chance.shuffle(batches)
        yield from np.concatenate(batches + last).tolist()


def collated(examples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Examples, each with `input_ids` or `features` and with `labels`, as a network's inputs.

    Ids are padded as they are where the model serves.
    """
    labels = torch.tensor([example[LABELS] for example in examples])
    if FEATURES in examples[0]:
        return {FEATURES: torch.stack([example[FEATURES] for example in examples]), LABELS: labels}
    inputs = padded([example[INPUT_IDS] for example in examples])
    return {name: torch.from_numpy(matrix) for name, matrix in inputs.items()} | {LABELS: labels}
