"""An end by a polite kill or a closed terminal that is like one by Ctrl-C: nothing stays behind."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Final

from scripts.command.console import remark

ENDED: Final = (130, 143, 129)
"""Exit statuses of a command that was ended by Ctrl-C, a polite kill, or a closed terminal."""


@contextmanager
def handled(handler: Callable[[int, FrameType | None], object], *signals: int) -> Iterator[None]:
    """Signals go to a handler while this lasts; the end of a terminal that nohup ignores stays ignored."""
    heard = [one for one in signals if one != signal.SIGHUP or signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heard}
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


@contextmanager
def told_when_ended(word: str, sentence: Callable[[], str]) -> Iterator[None]:
    """What has become of the work, for whoever ends a command by Ctrl-C or a polite kill."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        remark(word, sentence())
        raise


@contextmanager
def heard_later(*signals: int) -> Iterator[None]:
    """Processes that are started meanwhile do not hear these signals, from their first instruction on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
