"""The scale of a picture: values on pixels."""

from __future__ import annotations

from math import ceil, floor, log10

import msgspec

from scripts.language.language import written


class Axis(msgspec.Struct, frozen=True):
    """Values from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value, within the axis."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + (self.end - self.start) * share

    def ticks(self, most: int = 6, digits: int | None = None) -> list[tuple[float, str]]:
        """The pixels of round values, at most one more than `most`, and the values in as many digits as they need."""
        span = self.high - self.low
        power = 10.0 ** floor(log10(span / most))
        step = next(power * factor for factor in (1, 2, 5, 10, 20) if span / (power * factor) <= most)
        if digits is None:
            digits = max(0, -floor(log10(step) + 1e-9))
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return [
            (self.at(step * number), written(f"{step * number:.{digits}f}"))
            for number in range(first, last + 1)
        ]
