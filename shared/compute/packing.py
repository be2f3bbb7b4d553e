"""Packs rows of different lengths into batches by a budget of tokens, and into smaller ones when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from shared.compute.arrays import Int64s

AnswerT = TypeVar("AnswerT")


def scored(
    lengths: Int64s, tokens_per_batch: int, score: Callable[[Int64s], AnswerT | None]
) -> Iterator[tuple[Int64s, AnswerT]]:
    """Scores all rows, the longest first; yields the numbers of each batch with what `score` gave for them.

    A batch has at most `tokens_per_batch` tokens, padding included: its rows times the longest of them. A row
    that is longer than that goes alone. Rows of like length go together, so little of it is padding, and
    the batch that needs most memory comes first. `score` gives None when memory did not suffice: then half as
    many rows are tried, and the smaller budget stays for the rest. Raises MemoryError where there is none for a single
    row.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        width = int(lengths[order[start]])
        rows = order[start : start + max(1, tokens_per_batch // width)]
        answer = score(rows)
        if answer is not None:
            yield rows, answer
            start += len(rows)
        elif len(rows) > 1:
            tokens_per_batch = width * (len(rows) // 2)
        else:
            raise MemoryError(
                f"expected memory for one text of {width} tokens, found too little. "
                "Use a smaller model or another device, or allow fewer tokens per text"
            )
