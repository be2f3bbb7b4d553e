"""An end to waiting for a PostgreSQL that has fallen silent.

The server keeps `statement_timeout`, and the kernel of its host answers for TCP. Where that kernel lives on and the
server does not (a stopped process, a disk that hangs, a proxy between), libpq waits for ever, and Python's signals,
a task's time limit among them, do not get through to it. So a thread cuts connections whose answer is overdue.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Final

import psycopg2
from psycopg2.extensions import connection as PlainConnection
from psycopg2.extensions import cursor as PlainCursor

LOOK_EVERY_S: Final = 0.5


class Deadlines:
    """Statements that are under way in this process, and until when their answers are waited for."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._due: dict[Connection, float] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def waiting(self, connection: Connection) -> Iterator[None]:
        """An answer is waited for while this lasts, and no longer than the limit."""
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._look, name="database deadlines", daemon=True)
                    self._thread.start()
        self._due[connection] = time.monotonic() + self._limit_s
        try:
            yield
        finally:
            # A connection that is being cut is not closed meanwhile: its number could be that of another one.
            with self._lock:
                self._due.pop(connection, None)

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            now = time.monotonic()
            with self._lock:
                for connection, due in list(self._due.items()):
                    if due < now and not connection.was_cut:
                        connection.cut()


class Cursor(PlainCursor):
    """A cursor whose statements have a deadline."""

    connection: Connection

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002  psycopg2's name
        with self.connection.deadline():
            super().execute(query, vars)

    def executemany(self, query: Any, vars_list: Any) -> None:
        with self.connection.deadline():
            super().executemany(query, vars_list)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        with self.connection.deadline():
            super().copy_expert(sql, file, size)


class Connection(PlainConnection):
    """A connection whose statements have a deadline, as soon as it has been given `deadlines`."""

    deadlines: Deadlines | None = None
    was_cut = False

    def deadline(self) -> AbstractContextManager[None]:
        """For as long as the server is waited for."""
        return nullcontext() if self.deadlines is None else self.deadlines.waiting(self)

    def commit(self) -> None:
        with self.deadline():
            super().commit()

    def rollback(self) -> None:
        with self.deadline():
            super().rollback()

    def cut(self) -> None:
        """End the connection under whoever waits for it: libpq then says that the server is gone."""
        self.was_cut = True
        with suppress(OSError, psycopg2.Error), socket.socket(fileno=os.dup(self.fileno())) as held:
            held.shutdown(socket.SHUT_RDWR)
