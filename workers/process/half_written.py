"""Tasks that are half-written to a child when a worker stops or loses its connection: written to their end first.

Celery's pool writes a task as fast as the child's pipe takes it. Where it closes meanwhile, what it says at its end
comes in the middle of the task, and the child waits for the rest for ever, as does the worker (celery 5.7.0). Tasks
with ids fit into a pipe; messages do not.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from typing import Any, Final

import structlog
from celery.concurrency.asynpool import _get_job_writer, gen_not_started

log = structlog.get_logger()

LOOKED_S: Final = 0.5


def finish(pool: Any, within_s: float) -> None:
    """Write them to their end; a child that has not taken one in so many seconds is killed.

    Its messages come again. `pool` is the one of billiard inside of Celery's.
    """
    until = time.monotonic() + within_s
    for job in tuple(pool._cache.values()):
        writer = _get_job_writer(job)
        if writer is None or gen_not_started(writer):
            continue
        while writer in pool._active_writers and job._write_to._is_alive():
            if time.monotonic() > until:
                log.error("pool.child_reads_nothing", pid=job._write_to.pid, seconds=within_s)
                with suppress(ProcessLookupError):
                    os.kill(job._write_to.pid, signal.SIGKILL)
                break
            _, writable, _ = select.select([], [job._write_to.inqW_fd], [], LOOKED_S)
            if writable and not _goes_on(writer):
                pool._active_writers.discard(writer)


def _goes_on(writer: Any) -> bool:
    try:
        next(writer)
    except (StopIteration, OSError, EOFError):
        return False
    return True
