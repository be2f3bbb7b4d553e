"""The lease of a running training run: a thread that keeps it alive, tells how far it is, and ends what must end.

The thread writes all that the run tells, so that a database that is away for a while stops no training. It ends the
whole process where the run has gone to somebody else, or takes longer than it may: what computes may not listen.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Final, Literal, Self

import structlog

from shared.errors import RetryableError
from shared.runs.pace import Pace, clock_time
from shared.store import Database, runs
from shared.store.runs import LoggedValue, Run

log = structlog.get_logger()

LOST: Final = 70
"""Exit status of a process whose run has gone to somebody else."""
ENDED: Final = 71
"""Exit status of a process whose run was ended for it: over its time limit, or deaf to a cancellation."""
DEAF_S: Final = 60.0
"""Seconds in which a run must stop once it is asked to."""

WATCHED: Final = {"loss": "loss", "held_out_weighted_f1": "F1 on held-out labels"}
"""Figures that stand in the list of runs, and what they are called there."""

Why = Literal["cancelled", "released"]


class Lease:
    """Implements `shared.training.watch.Watch` for a run that this process holds. Use it as a context."""

    def __init__(
        self, database: Database, run: Run, lease_s: int, *, leave: Callable[[int], None] = os._exit
    ) -> None:
        self._database = database
        self._run = run
        self._lease_s = lease_s
        self._leave = leave
        self._points: list[LoggedValue] = []
        self._newest: dict[str, float] = {}
        self._progress = run.progress
        self._pace: Pace | None = None
        self._message = "starts"
        self._asked: float | None = None
        self.why: Why | None = None
        self._waits = False
        self._last = time.monotonic()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Keep values of a step; they are written at the next sign of life."""
        finite = {name: value for name, value in values.items() if isfinite(value)}
        with self._lock:
            self._newest |= finite
            self._points += [LoggedValue(name, step, epoch, value) for name, value in finite.items()]

    def progress(self, share: float) -> None:
        """How far the run is, 0..1. What is left is estimated from the first call on."""
        self._progress = min(1.0, max(0.0, share))
        if self._pace is None or self._progress < self._pace.share:
            self._pace = Pace(time.monotonic(), self._progress)

    def say(self, message: str) -> None:
        """What the run is doing."""
        self._message = message

    def wait(self, waits: bool) -> None:
        """Whether the run waits for something, such as a GPU: that does not count against its time limit."""
        self.flush()
        self._waits = waits

    def stop(self) -> bool:
        """Whether the run has to stop, because it was cancelled or this worker ends."""
        return self.why is not None

    def give_back(self) -> None:
        """This worker ends: the run is to stop at its next step and wait for another one."""
        self.why = self.why or "released"

    def flush(self) -> None:
        """Write what has been told. Raises RetryableError; what could not be written is kept for the next time."""
        with self._lock:
            # Besides what it is doing, how long that takes and the figures that people watch.
            left = self._pace.left_s(time.monotonic(), self._progress) if self._pace else None
            figures = [] if left is None else [f"about {clock_time(left)} left"]
            figures += [
                f"{called} {self._newest[name]:.3f}"
                for name, called in WATCHED.items()
                if name in self._newest
            ]
            points, self._points = self._points, []
            spent, self._last = time.monotonic() - self._last, time.monotonic()
            try:
                with self._database.transaction() as cursor:
                    held = runs.renew(
                        cursor,
                        self._run.id,
                        self._run.attempt,
                        lease_s=self._lease_s,
                        spent_s=0.0 if self._waits else spent,
                        progress=self._progress,
                        message="; ".join([self._message, *figures]),
                        points=points,
                    )
            except RetryableError:
                self._points = points + self._points
                self._last -= spent
                raise
        if held is None:
            log.error("training.lost", run=self._run.id, attempt=self._run.attempt)
            self._leave(LOST)
        elif held.spent_s > self._run.time_limit_s:
            self._end(
                "failed", f"expected to end within {self._run.time_limit_s:,} s, found it still at work"
            )
        elif held.cancel_requested:
            self.why = "cancelled"

    def _beat(self) -> None:
        every = min(5.0, self._lease_s / 4)
        while not self._over.wait(every):
            try:
                self.flush()
                if self.why == "cancelled":
                    self._asked = self._asked or time.monotonic()
                    if time.monotonic() - self._asked > DEAF_S:
                        self._end("cancelled", "cancelled; it did not stop by itself")
            except Exception as error:  # noqa: BLE001  whatever it is, the run must be kept alive
                log.warning("training.no_sign_of_life", run=self._run.id, error=str(error))

    def _end(self, status: Literal["failed", "cancelled"], message: str) -> None:
        with self._database.transaction() as cursor:
            runs.end(cursor, self._run.id, self._run.attempt, status, message)
        log.error("training.ended", run=self._run.id, status=status, message=message)
        self._leave(ENDED)
