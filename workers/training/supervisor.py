"""The training worker: takes runs out of PostgreSQL one at a time, each in a fresh process.

A message only wakes it, and is acknowledged at once: RabbitMQ would close the channel of a worker that holds one for as
long as a training run takes. Runs whose worker has vanished are found without any message, when their lease has ended.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import structlog
from celery.signals import worker_shutting_down

from shared.errors import OtzyvError
from shared.runs import folder
from shared.runtime import runtime
from shared.settings import Settings, settings
from shared.store import Database, runs
from shared.store.processes.waits import Waiting
from shared.store.runs import Run
from workers.app import app
from workers.process import worker_name
from workers.rabbitmq import topology
from workers.tasks import sending
from workers.tasks.task import Task

log = structlog.get_logger()

WOKEN: Final = threading.Event()
"""Set by a message; this process's trainer, if it has one, then looks for runs."""
LOOK_S: Final = 10.0
"""Seconds after which an idle worker looks for runs by itself."""
GRACE_S: Final = 100.0
"""Seconds for a run to reach its next step and save a checkpoint when the worker ends."""


class Trainer:
    """Trains one run after the other until it is stopped.

    `after` is called after each. With `idle` it waits for more when there are no runs, without it returns; `woken` is
    set by whoever knows of one.
    """

    def __init__(
        self,
        chosen: Settings,
        database: Database,
        name: str,
        *,
        idle: bool = True,
        after: Callable[[], None] = lambda: None,
        woken: threading.Event | None = None,
    ) -> None:
        self._settings = chosen
        self._database = database
        self._name = name
        self._idle = idle
        self._after = after
        self._woken = woken or threading.Event()
        self._stopping = threading.Event()
        self._waiting = Waiting(database, "training worker", name)

    def stop(self) -> None:
        """Stop: a run in progress saves a checkpoint and goes back to the queue."""
        self._stopping.set()
        self._woken.set()

    def run(self) -> None:
        """Work until stopped."""
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                with self._database.transaction() as cursor:
                    run = runs.claim(
                        cursor, self._name, self._settings.training_lease_s, self._settings.training_crashes
                    )
            except OtzyvError as error:
                log.warning("training.cannot_look", error=str(error))
                self._waiting.again(error, LOOK_S)
                run = None
            else:
                self._waiting.over()
            if run is not None:
                self._supervise(run)
            elif not self._idle:
                return
            else:
                self._woken.wait(LOOK_S)

    def _supervise(self, run: Run) -> None:
        log.info("training.begins", run=run.id, architecture=run.architecture, attempt=run.attempt)
        # The child ends when this pipe does: should this process be killed, nobody trains on unseen.
        chosen = {
            "OTZYV_DATABASE_URL": self._settings.database_url,
            "OTZYV_MODELS": self._settings.models,
            "OTZYV_LOG_LEVEL": self._settings.log_level,
        }
        command = [sys.executable, "-m", "workers.training.child", str(run.id), str(run.attempt)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, **chosen}) as child:
            try:
                status = self._wait(child)
            finally:
                child.kill()
        log.info("training.ended", run=run.id, exit_status=status)
        self._settle(run, status)
        self._after()

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        while not self._stopping.is_set():
            with suppress(subprocess.TimeoutExpired):
                return child.wait(0.2)
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            return child.wait(GRACE_S)
        child.kill()
        return child.wait()

    def _settle(self, run: Run, status: int) -> None:
        """Put a run whose process vanished back in the queue; one that was ended in order is not this attempt's.

        A run that has ended needs its checkpoints no more.
        """
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        message, crashed = f"its process ended with {how}", not self._stopping.is_set()
        try:
            with self._database.transaction() as cursor:
                released = runs.release(cursor, run.id, run.attempt, crashed=crashed, message=message)
                now = runs.get(cursor, run.id)
        except OtzyvError as error:
            log.warning("training.crash_not_noted", run=run.id, error=str(error))
            return
        if released:
            log.error("training.crashed", run=run.id, how=how)
        if now is not None and now.status in ("failed", "cancelled", "succeeded"):
            folder.clear(self._settings.training, run)


def _tell_workers() -> None:
    """A new champion may have come: let the sweep send reviews that waited for one."""
    try:
        sending.sweep()
    except OtzyvError as error:
        log.info("training.sweep_not_sent", error=str(error))


@app.task(name=topology.WAKE, base=Task)  # type: ignore[untyped-decorator]
def wake(_review_ids: list[int] | None = None, run: int = 0) -> None:
    """Look for runs now."""
    log.info("training.woken", run=run)
    WOKEN.set()


@contextmanager
def started(name: str) -> Iterator[None]:
    """Train beside this process's Celery worker; when that shuts down, a run saves a checkpoint and is given back."""
    chosen = settings()
    database = runtime.open_database(chosen, "otzyv worker train")
    trainer = Trainer(chosen, database, worker_name.node(name), after=_tell_workers, woken=WOKEN)
    worker_shutting_down.connect(lambda **_: trainer.stop(), weak=False)
    thread = threading.Thread(target=trainer.run, name="trainer")
    thread.start()
    try:
        yield
    finally:
        trainer.stop()
        thread.join()
