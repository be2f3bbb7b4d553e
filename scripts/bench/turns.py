"""Several ways of doing the same, measured by turns in one run, so that a busy machine slows them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any, Final

Peer = Callable[[Sequence[str]], Any]
"""One way of doing it: texts in, whatever it makes of them out."""
TURN_SECONDS: Final = 1.0
"""How long one way runs before the next has its turn: long enough to fill the caches as a worker would."""


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
