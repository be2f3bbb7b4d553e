"""What the models of this package have in common: how their labels are written, and how they answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutput

from shared.training.arguments import Arguments


def numbered(labels: Sequence[str]) -> dict[str, Any]:
    """Labels as a config of transformers has them, in the order of the logits."""
    return {"id2label": dict(enumerate(labels)), "label2id": {label: at for at, label in enumerate(labels)}}


def head(arguments: Arguments) -> dict[str, Any]:
    """What a config says of the layers that are trained from the beginning; `arguments` have the defaults filled in."""
    return {"hidden": arguments.hidden, "dropout": arguments.dropout}


def answer(logits: Tensor, labels: Tensor | None) -> SequenceClassifierOutput:
    """Logits [n, k], and their cross-entropy where labels [n] are given."""
    loss = None if labels is None else nn.functional.cross_entropy(logits.float(), labels)
    return SequenceClassifierOutput(loss=loss, logits=logits)
