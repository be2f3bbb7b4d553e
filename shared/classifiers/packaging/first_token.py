"""An encoder whose head reads only the first token needs no more than that token from its last layer.

The last layer still reads all tokens (keys and values), but computes one row instead of all: the same logits for about
a quarter less work on three layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class FirstTokenLayer(nn.Module):  # type: ignore[misc]  # torch is Any to mypy
    """A layer of BERT's kind that returns its first token only, shape [n, 1, hidden]."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, hidden: Tensor, mask: Tensor | None = None, *_: object, **__: object) -> Tensor:
        """`hidden` has shape [n, tokens, hidden]; `mask` is added to the scores, [n, 1, ., tokens]."""
        attention = self.layer.attention.self
        n, tokens, _size = hidden.shape
        heads, size = attention.num_attention_heads, attention.attention_head_size
        first = hidden[:, :1]
        query = attention.query(first).view(n, 1, heads, size).transpose(1, 2)
        key = attention.key(hidden).view(n, tokens, heads, size).transpose(1, 2)
        value = attention.value(hidden).view(n, tokens, heads, size).transpose(1, 2)
        scores = query @ key.transpose(2, 3) * size**-0.5
        if mask is not None:
            scores = scores + mask[:, :, :1, :]
        read = (torch.softmax(scores, dim=-1) @ value).transpose(1, 2).reshape(n, 1, heads * size)
        attended = self.layer.attention.output(read, first)
        return self.layer.output(self.layer.intermediate(attended), attended)


@contextmanager
def first_token_only(model: Any) -> Iterator[bool]:
    """While it lasts, the model's last layer is shortened, if it has one of BERT's kind; says whether it is.

    Whether the head reads the first token only, the caller has to check by comparing logits.
    """
    layers = getattr(getattr(getattr(model, "base_model", None), "encoder", None), "layer", None)
    if not layers or not all(hasattr(layers[-1], part) for part in ("attention", "intermediate", "output")):
        yield False
        return
    last = layers[-1]
    layers[-1] = FirstTokenLayer(last).train(mode=last.training)
    try:
        yield True
    finally:
        layers[-1] = last
