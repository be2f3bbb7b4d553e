"""An answer that many ask for, found once in a while, and never waited for longer than a limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
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
        self._search: _Search[FoundT] | None = None

    def get(self) -> FoundT:
        """The answer. Raises Late, or what `find` raised."""
        return self._begun().result(self._limit_s)

    def begin(self) -> None:
        """Look for it, if that is needed, without waiting."""
        self._begun()

    def _begun(self) -> _Search[FoundT]:
        with self._lock:
            if self._search is None or self._search.is_stale(self._keep_s):
                self._search = _Search(self._find)
            return self._search


class _Search(Generic[FoundT]):
    def __init__(self, find: Callable[[], FoundT]) -> None:
        self._began = time.monotonic()
        self._ended = 0.0
        self._done = threading.Event()
        self._answer: tuple[FoundT] | None = None
        self._error: Exception | None = None
        threading.Thread(target=self._run, args=(find,), name="recent", daemon=True).start()

    def _run(self, find: Callable[[], FoundT]) -> None:
        try:
            self._answer = (find(),)
        except Exception as error:  # noqa: BLE001  whoever asks hears of it
            self._error = error
        self._ended = time.monotonic()
        self._done.set()

    def is_stale(self, keep_s: float) -> bool:
        return self._done.is_set() and time.monotonic() - self._ended > keep_s

    def result(self, limit_s: float) -> FoundT:
        if not self._done.wait(max(0.0, self._began + limit_s - time.monotonic())):
            raise Late(f"no answer within {limit_s:g} s")
        if self._error is not None:
            raise self._error
        assert self._answer is not None  # noqa: S101
        return self._answer[0]
