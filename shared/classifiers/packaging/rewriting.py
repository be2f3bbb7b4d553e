"""Ways to compute a network's answers whose graphs are faster: each is tried, and left out where it changes an answer.

Which of them a model has is guessed by what its parts are called, and models call other things so. Only the logits
decide: whatever a rewriting raises or gives otherwise, the model goes without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Final

import numpy as np
from torch import nn

from shared.classifiers.packaging.first_token import first_token_only
from shared.classifiers.packaging.logits import torch_logits
from shared.compute.arrays import Float32s

MOST_DIFFERENCE: Final = 1e-4
"""Of any logit, between the network and the rewritten one, relative to the largest."""

Rewriting = Callable[[Any], AbstractContextManager[bool]]
"""While it lasts, a model is another one; says whether it is."""


@contextmanager
def eager_attention(model: Any) -> Iterator[bool]:
    """Attention as plain matrix products, where the model can choose: their graph is 1.4 times as fast in int8."""
    before = getattr(getattr(model, "config", None), "_attn_implementation", None)
    if before is None:
        yield False
        return
    model.set_attn_implementation("eager")
    try:
        yield True
    finally:
        model.set_attn_implementation(before)


REWRITINGS: Final[tuple[Rewriting, ...]] = (eager_attention, first_token_only)
"""In the order in which they are put upon one another."""


@contextmanager
def rewritten(network: nn.Module, ids: Sequence[Sequence[int]]) -> Iterator[bool]:
    """While it lasts, the network is rewritten in every way that keeps its logits for tokenised texts; says if in any.

    `network` is a model, or has one as its attribute `model`.
    """
    before = torch_logits(network, ids)
    with ExitStack() as kept:
        changed = [_is_kept(rewriting, network, ids, before, kept) for rewriting in REWRITINGS]
        yield any(changed)


def _is_kept(
    rewriting: Rewriting,
    network: nn.Module,
    ids: Sequence[Sequence[int]],
    before: Float32s,
    kept: ExitStack,
) -> bool:
    with ExitStack() as tried:
        try:
            if not tried.enter_context(rewriting(getattr(network, "model", network))):
                return False
            apart = np.abs(torch_logits(network, ids) - before).max()
        except Exception:  # noqa: BLE001  a model of another kind goes without, whatever it raises
            return False
        if not apart <= MOST_DIFFERENCE * np.abs(before).max():
            return False
        kept.push(tried.pop_all())
    return True
