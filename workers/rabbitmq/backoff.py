"""How long to pause before the next try: of a task or batch, of ingest, of publishing."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0


def pause_s(attempt: int, jitter: Callable[[], float] = random.random) -> float:
    """Seconds before try `attempt + 1`: doubling from 1 to 60, of which a random half is jitter.

    Exponential back-off with equal jitter (M. Brooker, "Exponential Backoff and Jitter", AWS, 2015).
    """
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0**attempt)
    return longest / 2 + longest / 2 * jitter()
