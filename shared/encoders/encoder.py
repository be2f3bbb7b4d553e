"""What turns texts into vectors for the similarity stage, whatever the method behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""One row per text."""
Role = Literal["query", "document"]
"""A review is a query; what the taxonomy says of its categories are documents. Some models tell them apart."""


class Encoder(Protocol):
    """A method of embedding. Encoders are pure: the same text gives the same row, alone or in a batch."""

    @property
    def model(self) -> str:
        """What produces the vectors, exactly enough to tell two versions apart."""

    def embed(self, texts: Sequence[str], role: Role) -> Vectors:
        """Rows of length 1, shape [texts, dimensions]; a row of zeros where nothing in the text is known."""


def unit(rows: Vectors) -> Vectors:
    """The rows scaled to length 1, so that their products are cosines. Rows of zeros stay as they are."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Vectors = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return scaled


def known(rows: Vectors) -> list[int]:
    """Positions of the rows that are not all zeros."""
    return np.flatnonzero(np.any(rows, axis=1)).tolist()
