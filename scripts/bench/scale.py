"""What a review costs when many are stored already, and how much memory the processes take meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scripts.bench import pipeline, processes
from shared.settings import Settings

STEP = 50_000
WINDOW = 40_000
"""Reviews that a measurement sends on top of what is stored."""


def run(
    settings: Settings, texts: Sequence[str], folder: Path, marks: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """One dict at each mark, in order: `stored` reviews before it, `reviews_per_second`, `cpu_us` per review by part,
    and `memory`, the resident bytes of ingest and of the largest process of the worker."""
    cores = len(os.sched_getaffinity(0))
    source = pipeline.Turn(texts)
    stored = 0
    with pipeline.otzyv(settings, folder, cores) as ours:
        ours.run(source.take(pipeline.WARM_UP))
        stored += pipeline.WARM_UP
        for mark in marks:
            while stored < mark:
                part = min(STEP, mark - stored)
                ours.run(source.take(part))
                stored += part
            found = ours.run(source.take(WINDOW))
            yield {
                "stored": stored,
                "reviews_per_second": WINDOW / found["seconds"],
                "cpu_us": {part: 1e6 * found[part] / WINDOW for part in pipeline.PARTS},
                "memory": {
                    "ingest": max(processes.resident_bytes(ours.ingest).values()),
                    "worker": max(processes.resident_bytes(ours.worker).values()),
                },
            }
            stored += WINDOW
