"""How fast a training goes: what is left of it, and how times are written."""

from __future__ import annotations

from typing import Final

import msgspec

PACE_KNOWN_AFTER_S: Final = 5.0
"""Seconds of training before which nothing is said of how long it takes."""


class Pace(msgspec.Struct, frozen=True):
    """When training began in this process, by a clock in seconds, and how far the run was then, 0..1."""

    began: float
    share: float

    def left_s(self, now: float, share: float) -> float | None:
        """Seconds until everything is done if it goes on like this; None where that is not known, or nothing is left.

        Early stopping may end a training before.
        """
        gone = now - self.began
        if gone < PACE_KNOWN_AFTER_S or not self.share < share < 1.0:
            return None
        return gone * (1.0 - share) / (share - self.share)


def clock_time(seconds: float) -> str:
    """3725 as `1:02:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
