"""What a review costs when many are stored already, and how much memory the processes take meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
from rich.table import Table

from scripts.bench.system import pipeline, processes
from scripts.pages.tables import table
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


class ScaleTurn(msgspec.Struct, frozen=True):
    """What was measured at a mark.

    `stored` reviews before it, microseconds of CPU a review by part, the same for all reviews since the measurement
    before, and `memory`, the resident bytes of the worker's largest process and of all of them. A measurement may be
    charged for upkeep of all that came before it, which the longer stretch evens out.
    """

    stored: int
    reviews_per_second: float
    cpu_us: dict[str, float]
    cpu_us_since: dict[str, float]
    memory: dict[str, int]


def run(settings: Settings, texts: Sequence[str], folder: Path, marks: Sequence[int]) -> Iterator[ScaleTurn]:
    """The figures at each mark, in order."""
    take = pipeline.supply(texts)
    with pipeline.otzyv(settings, folder) as ours:
        ours.run(take(pipeline.WARM_UP))
        stored = pipeline.WARM_UP
        for mark in marks:
            between, filled = _add(ours, take, mark - stored)
            stored += filled
            found, added = _add(ours, take, _window(mark))
            yield ScaleTurn(
                stored=stored,
                reviews_per_second=added / found["seconds"],
                cpu_us=_cpu_us(found, added),
                cpu_us_since=_cpu_us(between + found, filled + added),
                memory={
                    "worker": max(processes.resident_bytes(ours.own[0]).values()),
                    "all": sum(processes.resident_bytes(ours.own[0]).values()),
                },
            )
            stored += added


def shown(turns: list[ScaleTurn]) -> list[Table]:
    """What was measured, a column for each mark."""
    rows = [("reviews/s", *(f"{turn.reviews_per_second:,.0f}" for turn in turns))]
    for part, words in pipeline.PARTS.items():
        rows.append((f"{words}, µs", *(f"{turn.cpu_us[part]:.1f}" for turn in turns)))
    rows += _totals("all, µs of CPU a review", [turn.cpu_us for turn in turns])
    rows += _totals("all since the measurement before", [turn.cpu_us_since for turn in turns])
    for process, words in (("worker", "a process of the worker, MiB"), ("all", "all of the worker's, MiB")):
        rows.append((words, *(f"{turn.memory[process] / 2**20:.0f}" for turn in turns)))
    return [table(("stored before", *(f"{turn.stored:,}" for turn in turns)), rows, pad_edge=True)]


def _totals(words: str, costs: Sequence[Mapping[str, float]]) -> list[tuple[str, ...]]:
    """What a review cost in all at each mark, and how much that is of what it cost at the first."""
    totals = [sum(cost.values()) for cost in costs]
    # What a worker does has nothing to do with what is stored: where it changes, the machine's speed did.
    by_worker = [total / cost["stage"] for total, cost in zip(totals, costs, strict=True)]
    return [
        (words, *(f"{total:.1f}" for total in totals)),
        ("  of the first", *(f"{total / totals[0]:.2f}" for total in totals)),
        ("  the same beside the worker's", *(f"{total / by_worker[0]:.2f}" for total in by_worker)),
    ]


def _cpu_us(spent: Counter[str], reviews: int) -> dict[str, float]:
    """Microseconds of CPU a review, by part."""
    return {part: 1e6 * spent[part] / reviews for part in pipeline.PARTS}


def _add(
    ours: pipeline.Otzyv, take: Callable[[int], pipeline.Reviews], count: int
) -> tuple[Counter[str], int]:
    """Send reviews, a step at a time, and wait for their labels; what it took in all, and how many they were."""
    spent: Counter[str] = Counter()
    for at in range(0, count, STEP):
        spent.update(ours.run(take(min(STEP, count - at))))
    return spent, max(count, 0)
