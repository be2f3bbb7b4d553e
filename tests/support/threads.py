"""The same work in several threads, begun at one moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

A = TypeVar("A")
T = TypeVar("T")


def at_once(work: Callable[[A], T], arguments: Sequence[A]) -> list[T]:
    """What `work` returns for each argument, in their order, from threads that all wait for the last to start."""
    start = Barrier(len(arguments))

    def begin(argument: A) -> T:
        start.wait()
        return work(argument)

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(begin, arguments))
