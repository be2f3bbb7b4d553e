"""What each process makes for itself on first use, so that nothing is shared over a fork."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Things by number, each made when it is first asked for; the `keep` used last are kept."""

    def __init__(self, make: Callable[[int], T], keep: int = 2) -> None:
        self._make = self._kept = make
        self._keep = keep
        self._pid = 0

    def get(self, number: int) -> T:
        """This process's own. Raises what making it raises, and makes it anew the next time."""
        if self._pid != os.getpid():
            self._kept, self._pid = lru_cache(self._keep)(self._make), os.getpid()
        return self._kept(number)
