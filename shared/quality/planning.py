"""What a sample of reviews says about a whole file: pure arithmetic, no store and no stages."""

from __future__ import annotations

import random
from typing import Generic, TypeVar

import msgspec

from shared.quality import binomial

ItemT = TypeVar("ItemT")

RISK = 0.05
"""Chance that a share lies outside of its interval."""


class Reservoir(Generic[ItemT]):
    """A uniform sample of a stream whose length is not known (Vitter 1985, algorithm R); the seed decides it."""

    def __init__(self, size: int, seed: int) -> None:
        if size < 1:
            raise ValueError(f"expected a sample of at least 1, found {size}")
        self.items: list[ItemT] = []
        self.seen = 0
        self._size = size
        self._random = random.Random(seed)  # noqa: S311  no secret

    def add(self, item: ItemT) -> None:
        """Take the next item of the stream into account."""
        self.seen += 1
        if len(self.items) < self._size:
            self.items.append(item)
        elif (place := self._random.randrange(self.seen)) < self._size:
            self.items[place] = item


class SampleShare(msgspec.Struct, frozen=True):
    """A share of a sample, with its exact two-sided 95 % interval (Clopper and Pearson 1934)."""

    count: int
    total: int

    @property
    def value(self) -> float:
        """The share in the sample, 0..1."""
        return self.count / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Lowest and highest share of the whole that agree with the sample; 0..1 where nothing was seen."""
        return (
            binomial.at_least(self.count, self.total, RISK / 2),
            binomial.at_most(self.count, self.total, RISK / 2),
        )
