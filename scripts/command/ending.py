"""An end by a polite kill or a closed terminal that is like one by Ctrl-C: nothing stays behind."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType


@contextmanager
def handled(handler: Callable[[int, FrameType | None], object], *signals: int) -> Iterator[None]:
    """Signals go to a handler while this lasts."""
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, one in before.items():
            signal.signal(number, one)


def ended_by_signals() -> AbstractContextManager[None]:
    """SIGTERM and SIGHUP leave every context in order while this lasts."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    return handled(end, signal.SIGTERM, signal.SIGHUP)
