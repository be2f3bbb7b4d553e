"""What a review costs when many are stored already, and how much memory the processes take meanwhile."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from scripts.bench.system import pipeline, processes
from shared.errors import ConfigurationError
from shared.settings import Settings

STEP = 50_000
SHARE = 0.2
"""A measurement adds so much to what is stored, a step at least: upkeep of tables comes in lumps."""


def marks_of(text: str) -> list[int]:
    """Marks as a person writes them. Raises ConfigurationError where one comes before the last measurement ends."""
    parts = [part.strip() for part in text.split(",")]
    marks = [int(part) for part in parts if part.isascii() and part.isdigit()]
    far = all(after >= before + _window(before) for before, after in pairwise(marks))
    if len(marks) != len(parts) or not far or marks[0] < pipeline.WARM_UP:
        raise ConfigurationError(
            f"--marks: expected whole numbers with commas, the first {pipeline.WARM_UP:,} or more and each 50,000 (and "
            f"a fifth) above the one before, found {text!r}"
        )
    return marks


def _window(mark: int) -> int:
    """Reviews that a measurement adds."""
    return max(STEP, int(SHARE * mark))


def run(
    settings: Settings, texts: Sequence[str], folder: Path, marks: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """One dict at each mark, in order.

    `stored` reviews before it, `reviews_per_second`, `cpu_us` per review by part, the same for all reviews since the
    measurement before as `cpu_us_since`, and `memory`, the resident bytes of ingest and of the worker's largest
    process. A measurement may be charged for upkeep of all that came before it, which the longer stretch evens out.
    """
    cores = len(os.sched_getaffinity(0))
    source = pipeline.Supply(texts)
    with pipeline.otzyv(settings, folder, cores) as ours:
        ours.run(source.take(pipeline.WARM_UP))
        stored = pipeline.WARM_UP
        for mark in marks:
            between, filled = _add(ours, source, mark - stored)
            stored += filled
            found, added = _add(ours, source, _window(mark))
            yield {
                "stored": stored,
                "reviews_per_second": added / found["seconds"],
                "cpu_us": _cpu_us(found, added),
                "cpu_us_since": _cpu_us(between + found, filled + added),
                "memory": {
                    "ingest": max(processes.resident_bytes(ours.ingest).values()),
                    "worker": max(processes.resident_bytes(ours.worker).values()),
                },
            }
            stored += added


def _cpu_us(spent: Counter[str], reviews: int) -> dict[str, float]:
    """Microseconds of CPU a review, by part."""
    return {part: 1e6 * spent[part] / reviews for part in pipeline.PARTS}


def _add(ours: pipeline.Otzyv, source: pipeline.Supply, count: int) -> tuple[Counter[str], int]:
    """Send reviews, a step at a time, and wait for their labels; what it took in all, and how many they were."""
    spent: Counter[str] = Counter()
    for at in range(0, count, STEP):
        spent.update(ours.run(source.take(min(STEP, count - at))))
    return spent, max(count, 0)
