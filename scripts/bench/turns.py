"""Several ways of doing the same, measured by turns in one run, so that a busy machine slows them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle
from statistics import median
from typing import Any, Final, TypeVar

from rich.table import Table

from scripts.command.progress import review_progress
from scripts.pages.tables import table

TurnT = TypeVar("TurnT")
Peer = Callable[[Sequence[str]], Any]
"""One way of doing it: texts in, whatever it makes of them out."""
CHUNK: Final = 500
"""Texts per call: as many as a worker gets at once."""
TURN_SECONDS: Final = 1.0
"""How long one way runs before the next has its turn: long enough to fill the caches as a worker would."""


def chunked(texts: Sequence[str], size: int = CHUNK) -> list[Sequence[str]]:
    """The texts in parts. Raises ValueError where there are none."""
    if not texts:
        raise ValueError("expected at least one text to measure with, found none")
    return [texts[at : at + size] for at in range(0, len(texts), size)]


def about(texts: Sequence[str], size: int = CHUNK) -> dict[str, Any]:
    """What has to be known of the texts that were measured with: `texts`, `mean_chars`, `chunk`."""
    return {"texts": len(texts), "mean_chars": sum(map(len, texts)) / len(texts), "chunk": size}


def rates(ways: Mapping[str, Peer], chunks: Sequence[Sequence[str]], seconds: float) -> dict[str, float]:
    """Texts per second of each way over chunks of texts, in at least `seconds` of wall-clock for all together.

    One unmeasured chunk of each comes first. The way that has had least time goes next, so each gets its share.
    """
    spent = dict.fromkeys(ways, 0.0)
    done = dict.fromkeys(ways, 0)
    for work in ways.values():
        work(chunks[0])
    positions = {name: cycle(chunks) for name in ways}
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline or not all(done.values()):
        name = min(spent, key=lambda way: spent[way])
        before = now = time.perf_counter()
        while now - before < TURN_SECONDS:
            chunk = next(positions[name])
            ways[name](chunk)
            done[name] += len(chunk)
            now = time.perf_counter()
        spent[name] += now - before
    return {name: done[name] / spent[name] for name in ways}


def taken(turns: Iterable[TurnT], count: int, word: str = "turn") -> list[TurnT]:
    """Every turn's figures, with a line on the terminal that says which turn it is."""
    found: list[TurnT] = []
    with review_progress() as progress:
        task = progress.add_task(f"measuring, {word}", total=count)
        for turn in turns:
            found.append(turn)
            progress.update(task, completed=len(found))
    return found


def compared(ways: Mapping[str, str], turns: Sequence[Mapping[str, float]]) -> Table:
    """Reviews per second of each way: the median, the extremes, and how much faster ours is, the first of the ways."""
    ours = next(iter(ways))
    rows = []
    for name, explanation in ways.items():
        found = [turn[name] for turn in turns]
        # The median of the ratios within the turns: a busy machine slows both sides of each.
        ratio = median(turn[ours] / turn[name] for turn in turns)
        told = "" if name == ours else f"{ratio:.2f} x as fast"
        rows.append((explanation, f"{median(found):,.0f}", f"{min(found):,.0f} to {max(found):,.0f}", told))
    return table(("way", "reviews/s", "lowest to highest run", "ours is"), rows, pad_edge=True)
