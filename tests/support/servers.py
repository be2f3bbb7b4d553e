"""RabbitMQ and PostgreSQL for tests: processes of the tests' own, on free ports, never the shared ones."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg2
import pytest

RABBITMQ_SERVER = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/local/sbin/rabbitmq-server")


def free_port() -> int:
    """A TCP port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(fact: Callable[[], object], seconds: float, what: str) -> None:
    """Look again and again until `fact` holds. Fails the test, naming what was waited for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if fact():
            return
        time.sleep(0.05)
    pytest.fail(f"waited {seconds} s in vain for: {what}")


def missing(what: str) -> None:
    """A service that tests need is not there: a failure in CI, elsewhere a skip with the reason."""
    if os.environ.get("CI"):
        pytest.fail(f"CI needs {what}")
    pytest.skip(f"needs {what}")


class RabbitNode:
    """One RabbitMQ node with its own data, log, cookie and ports."""

    def __init__(self, folder: Path, binary: str, settings: str = "") -> None:
        self.folder = folder
        self.port, self._management, self._dist = free_port(), free_port(), free_port()
        self._binary = binary
        self._name = f"otzyv-{uuid.uuid4().hex[:8]}@localhost"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self._management}\n"
        )
        (folder / "advanced.config").write_text(f"[{{rabbit, [{settings}]}}].")
        (folder / "enabled_plugins").write_text("[rabbitmq_management].")

    def start(self) -> None:
        """Start the node and wait until it serves AMQP and HTTP."""
        environment = {
            **os.environ,
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_DIST_PORT": str(self._dist),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
        }
        with (self.folder / "out.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._serves, 90, f"RabbitMQ to start, see {self.folder}")

    def stop(self, kill: bool = False) -> None:
        """Stop the node; its data stays for the next start."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL if kill else signal.SIGTERM)
            self._process.wait(60)
            self._process = None

    def _serves(self) -> bool:
        try:
            self.api("GET", "/api/overview")
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False

    def api(self, method: str, path: str, body: object = None) -> object:
        """One call of the management API, with JSON both ways."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._management}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        request.add_header("Authorization", "Basic " + base64.b64encode(b"guest:guest").decode())
        with urllib.request.urlopen(request, timeout=5) as answer:
            told = answer.read()
        return json.loads(told) if told else None

    @contextmanager
    def virtual_host(self) -> Iterator[str]:
        """The URL of a fresh virtual host, deleted at the end."""
        name = uuid.uuid4().hex[:12]
        self.api("PUT", f"/api/vhosts/{name}")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.api("PUT", f"/api/permissions/{name}/guest", everything)
        try:
            yield f"amqp://guest:guest@127.0.0.1:{self.port}/{name}"
        finally:
            with suppress(OSError):
                self.api("DELETE", f"/api/vhosts/{name}")


@contextmanager
def rabbit_node(settings: str = "") -> Iterator[RabbitNode]:
    """A running RabbitMQ node; `settings` are of the application rabbit, in Erlang, such as `{a, 1}, {b, 2}`."""
    binary = next((path for path in RABBITMQ_SERVER if Path(path).exists()), None)
    if binary is None:
        missing("RabbitMQ's binaries: apt-get install rabbitmq-server")
    folder = Path(tempfile.mkdtemp(prefix="otzyv-rabbit-"))
    node = RabbitNode(folder, str(binary), settings)
    try:
        node.start()
        yield node
    finally:
        node.stop(kill=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database_of(server: str, template: str | None = None) -> Iterator[str]:
    """The URL of a fresh database on a server, dropped at the end."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    execute(
        server, f"CREATE DATABASE {name}" + (f" TEMPLATE {template} STRATEGY FILE_COPY" if template else "")
    )
    try:
        yield server.replace("/postgres?", f"/{name}?")
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def execute(url: str, statement: str) -> None:
    """One statement outside a transaction."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        connection.cursor().execute(statement)
    finally:
        connection.close()
