"""Who uses a GPU: advisory locks named by its UUID, so that they hold over containers and end with their process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal

import structlog

from shared.errors import OtzyvError
from shared.store.postgres.database import Database

log = structlog.get_logger()

LOOK_S: Final = 5.0
"""Seconds between two looks, at a GPU that is taken, or at a lock of one's own: a restart of PostgreSQL ends it."""

Use = Literal["labelling", "training"]

_TRY: Final = {
    # Labelling workers share a GPU among themselves.
    "labelling": "SELECT pg_try_advisory_xact_lock_shared(hashtext('otzyv gpu'), hashtext(%s))",
    "training": "SELECT pg_try_advisory_xact_lock(hashtext('otzyv gpu'), hashtext(%s))",
}


@contextmanager
def claimed(
    database: Database, gpu: str, use: Use, waiting: Callable[[], object], *, look_s: float = LOOK_S
) -> Iterator[None]:
    """Have a GPU to oneself for training, or together with other labelling workers, as long as the context lasts.

    While it is used otherwise, `waiting` is called every `look_s` seconds; what it raises ends the wait.
    """
    taken, over = threading.Event(), threading.Event()

    def hold() -> None:
        """Take the lock as soon as it is free and keep its transaction open; in a new one where that is lost."""
        while not over.is_set():
            mine = False
            try:
                with database.lasting() as cursor:
                    while not over.is_set():
                        cursor.execute("SELECT true" if mine else _TRY[use], None if mine else (gpu,))
                        (mine,) = cursor.fetchone() or (False,)
                        if mine:
                            taken.set()
                        over.wait(look_s)
            except OtzyvError as error:
                log.warning("gpu.claim_lost" if mine else "gpu.cannot_look", gpu=gpu, error=str(error))
                over.wait(look_s)

    thread = threading.Thread(target=hold, name="gpu", daemon=True)
    thread.start()
    try:
        while not taken.wait(look_s):
            waiting()
        yield
    finally:
        over.set()
        thread.join()
