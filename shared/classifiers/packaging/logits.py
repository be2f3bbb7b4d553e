"""Networks as what is packaged: from ids and mask to logits, and what torch itself computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shared.classifiers.onnx_classifier import padded
from shared.compute.arrays import Float32s


class Logits(nn.Module):  # type: ignore[misc]  # torch is Any to mypy
    """A model of transformers as a network from ids and mask to logits."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Both of shape [n, tokens]; returns [n, k]."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def torch_logits(network: nn.Module, ids: Sequence[Sequence[int]], rows: int = 32) -> Float32s:
    """Logits of a torch network for tokenised texts, shape [n, k]: what a graph is compared with."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(ids), rows):
            inputs = map(torch.from_numpy, padded(ids[start : start + rows]).values())
            parts.append(network(*inputs).float().numpy())
    return np.concatenate(parts)
