"""The process of one training run: `python -m workers.training.child RUN ATTEMPT`, started by the training worker.

A fresh process, because CUDA cannot be used after a fork, because memory comes back whole, and because what kills a run
does not kill the worker. It reads nothing from standard input but its end, which means that the worker is gone.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Final

import structlog

from shared import logs
from shared.catalogue import load
from shared.errors import ConfigurationError, DatabaseUnavailable, OtzyvError, PoisonError, RetryableError
from shared.runs.lease import Lease
from shared.runtime import runtime
from shared.settings import Settings, settings
from shared.store import Database, runs
from shared.store.runs import Run, Status
from shared.training.watch import Interrupted

log = structlog.get_logger()

ASK: Final = "workers.tasks.loading:ask"
"""Celery is imported when a model is promoted, and not before."""
ORPHANED: Final = 72
"""Exit status of a process whose worker is gone."""
FIRST_PAUSE_S: Final = 2.0
"""Before a run is tried again that failed for something that may pass; doubled each time."""
LONGEST_PAUSE_S: Final = 60.0
CONNECTIONS: Final = 4
"""To PostgreSQL at least: the run and its lease use theirs at the same time."""


def main(number: int, attempt: int) -> None:
    """Train a run that the worker has claimed, and say how it ended."""
    chosen = settings()
    chosen = chosen.model_copy(update={"database_connections": max(CONNECTIONS, chosen.database_connections)})
    logs.configure(chosen)
    threading.Thread(target=_leave_with_the_worker, name="pipe", daemon=True).start()
    database = runtime.open_database(chosen, f"otzyv training run {number}")
    with database.transaction() as cursor:
        run = runs.get(cursor, number)
    if run is None or run.attempt != attempt or run.status != "running":
        log.warning("training.not_mine", run=number, attempt=attempt)
        return
    lease = Lease(database, run, chosen.training_lease_s)
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: lease.give_back())
    with lease:
        _run(run, lease, database, chosen)


def _leave_with_the_worker() -> None:
    # The descriptor itself: Python's own reader would not let the process end while somebody waits on it.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(ORPHANED)


def _run(run: Run, lease: Lease, database: Database, chosen: Settings) -> None:
    # Imported here: what is slow to import begins only once the lease is kept alive.
    from shared.runs.held_run import RunLost
    from shared.runs.run import execute

    try:
        here = runtime.stored_taxonomy(runtime.build(chosen, database), run.taxonomy_id)
        execute(run, lease, here.database, here.taxonomy, chosen, lambda model: load(ASK)(model))
    except Interrupted as stopped:
        if lease.why == "cancelled":
            _end(run, database, "cancelled", "cancelled")
        else:
            on = "the next one begins anew" if stopped.anew else "goes on where it was"
            _release(run, database, f"its worker was stopped; {on}", crashed=False)
    except RetryableError as error:
        log.warning("training.retry", run=run.id, error=str(error))
        # Whatever is away: PostgreSQL has to be back for the run to be given back.
        _wait_for(lease, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**run.crashes))
        _release(run, database, str(error), crashed=not isinstance(error, DatabaseUnavailable))
    except ImportError as error:
        message = f"expected what training needs, found: {error}; in the project's folder: `make models`"
        _end(run, database, "failed", message)
    except (ConfigurationError, PoisonError) as error:
        _end(run, database, "failed", str(error))
    except RunLost:
        log.warning("training.lost", run=run.id, attempt=run.attempt)
    except Exception as error:
        # Without room to write safetensors raises an error of its own, with the system's words.
        if getattr(error, "errno", None) == errno.ENOSPC or os.strerror(errno.ENOSPC) in str(error):
            _release(run, database, f"expected room on the disk, found none: {error}", crashed=True)
            return
        log.exception("training.failed", run=run.id)
        _end(run, database, "failed", f"{type(error).__name__}: {error}")


def _wait_for(lease: Lease, pause_s: float) -> None:
    """Pause, and go on pausing while the database is away: what the run has told is not to be lost with the process."""
    while True:
        time.sleep(pause_s)
        with suppress(RetryableError):
            lease.flush()
            return
        pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)


def _end(run: Run, database: Database, status: Status, message: str) -> None:
    log.warning("training.ends", run=run.id, status=status, message=message)
    with database.transaction() as cursor:
        runs.end(cursor, run.id, run.attempt, status, message)


def _release(run: Run, database: Database, message: str, *, crashed: bool) -> None:
    try:
        with database.transaction() as cursor:
            runs.release(cursor, run.id, run.attempt, crashed=crashed, message=message)
    except OtzyvError as error:
        # Its lease ends by itself.
        log.warning("training.not_released", run=run.id, error=str(error))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
