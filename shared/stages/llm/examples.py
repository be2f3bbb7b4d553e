"""Gold reviews that are like the one being asked about, for its prompt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from shared.encoders.encoder import Encoder, Vectors, known

REFRESH_S: Final = 600.0
"""Seconds after which gold is asked for again: people go on checking while workers run."""
MOST_GOLD: Final = 20_000
"""Gold reviews that are compared, the last ones given; more would take longer than they help."""


class NearestGold:
    """Implements `shared.stages.llm.stage.Examples`: the gold reviews with the highest cosine to each text.

    `load` gives pairs of text and slug, of which `most` are found for a text.
    """

    def __init__(self, load: Callable[[], Sequence[tuple[str, str]]], encoder: Encoder, most: int) -> None:
        self._load = load
        self._encoder = encoder
        self._most = most
        self._loaded_at = -REFRESH_S
        self._pairs: list[tuple[str, str]] = []
        self._rows: Vectors = np.zeros((0, 1), np.float32)

    def examples_for(self, texts: Sequence[str]) -> list[list[tuple[str, str]]]:
        """For each text, pairs of gold review and slug, nearest first; the text itself is never among them."""
        if time.monotonic() - self._loaded_at >= REFRESH_S:
            # One row a text: copies would crowd out the next nearest.
            pairs = list(dict(self._load()).items())[-MOST_GOLD:]
            rows = self._encoder.embed([text for text, _ in pairs], "query")
            readable = known(rows) if pairs else []
            self._pairs, self._rows = [pairs[at] for at in readable], rows[readable]
            self._loaded_at = time.monotonic()
        if not self._pairs or not texts:
            return [[] for _ in texts]
        cosines = self._encoder.embed(texts, "query") @ self._rows.T
        found = []
        for text, row in zip(texts, cosines, strict=True):
            # One more than wanted, because the text itself may be gold.
            best = np.argsort(-row, kind="stable")[: self._most + 1].tolist()
            near = [self._pairs[at] for at in best if row[at] > 0 and self._pairs[at][0] != text]
            found.append(near[: self._most])
        return found
