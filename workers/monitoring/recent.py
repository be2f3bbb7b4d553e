"""An answer that many ask for, found once in a while, and never waited for longer than a limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

FoundT = TypeVar("FoundT")


class Late(Exception):
    """Nothing was found within the limit."""


class Recent(Generic[FoundT]):
    """What `find` returns or raises, at most `keep_s` seconds old.

    However many ask, `find` runs once at a time, in a thread of its own. One that hangs is left alone: whoever asks
    meanwhile hears `Late`, after `limit_s` seconds from its beginning.
    """

    def __init__(self, find: Callable[[], FoundT], *, keep_s: float, limit_s: float) -> None:
        self._find = find
        self._keep_s = keep_s
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._answer: Future[FoundT] | None = None
        self._began = self._ended = 0.0

    def get(self) -> FoundT:
        """The answer. Raises Late, or what `find` raised."""
        answer, began = self.begin()
        wait([answer], max(0.0, began + self._limit_s - time.monotonic()))
        if not answer.done():
            raise Late(f"no answer within {self._limit_s:g} s")
        return answer.result()

    def begin(self) -> tuple[Future[FoundT], float]:
        """Look for it, if that is needed, without waiting; the answer that will be, and since when it is looked for."""
        with self._lock:
            answer = self._answer
            if answer is None or (answer.done() and time.monotonic() - self._ended > self._keep_s):
                self._answer = answer = Future()
                self._began = time.monotonic()
                threading.Thread(target=self._look, args=(answer,), name="recent", daemon=True).start()
            return answer, self._began

    def _look(self, answer: Future[FoundT]) -> None:
        try:
            found = self._find()
        except Exception as error:  # noqa: BLE001  whoever asks hears of it
            self._ended = time.monotonic()
            answer.set_exception(error)
        else:
            self._ended = time.monotonic()
            answer.set_result(found)
