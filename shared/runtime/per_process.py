"""What each process makes for itself on first use, so that nothing is shared over a fork."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Things by number, each made when it is first asked for; the `keep` used last are kept."""

    def __init__(self, make: Callable[[int], T], keep: int = 2) -> None:
        self._make = make
        self._keep = keep
        self._pid = 0
        self._made: dict[int, T] = {}

    def get(self, number: int) -> T:
        """This process's own. Raises what making it raises, and makes it anew the next time."""
        if self._pid != os.getpid():
            self._made, self._pid = {}, os.getpid()
        if number not in self._made:
            made = self._make(number)
            while len(self._made) >= self._keep:
                self._made.pop(next(iter(self._made)))
            self._made[number] = made
        self._made[number] = self._made.pop(number)
        return self._made[number]
