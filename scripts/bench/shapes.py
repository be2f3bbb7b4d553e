"""The encoders whose real sizes benchmarks have, with random weights: speed does not depend on them."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray


class Shape(msgspec.Struct, frozen=True):
    """The size of an encoder."""

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int

    def config(self) -> dict[str, int]:
        """The same under the names that transformers has."""
        names = (
            "num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size", "vocab_size",
            "max_position_embeddings",
        )  # fmt: skip
        return dict(zip(names, msgspec.structs.astuple(self), strict=True))

    def flops(self, lengths: NDArray[np.int64]) -> float:
        """Floating-point operations that texts of so many tokens need, padding left out.

        A matrix product of m x k and k x n counts 2mkn. For one text of n tokens, with hidden size h,
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


BGE_M3: Final = Shape(
    layers=24, hidden=1_024, heads=16, intermediate=4_096, vocabulary=250_002, positions=8_194
)
RUBERT_TINY2: Final = Shape(
    layers=3, hidden=312, heads=12, intermediate=600, vocabulary=83_828, positions=2_048
)
