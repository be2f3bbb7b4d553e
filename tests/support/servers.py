"""RabbitMQ and PostgreSQL for tests: processes of the tests' own, on free ports, never the shared ones."""

from __future__ import annotations

import base64
import json
import os
import random
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
"""Where packages put it; TEST_RABBITMQ_SERVER names another."""

PATIENCE_S = 300.0
"""Whatever a test waits for has so long: far more than a loaded machine needs, so that only a fault ends a wait."""

_FIRST_PORT, _LAST_PORT = 15_000, 32_767
"""Below those that Linux gives to connections going out: such a connection may take a port that was just found free."""
_WORKERS = 16
_given: set[int] = set()


def free_port() -> int:
    """A TCP port that nobody listens on, and that no test in this or in another worker of pytest has been given."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    ports = [port for port in range(_FIRST_PORT, _LAST_PORT + 1) if port % _WORKERS == worker]
    while True:
        port = random.choice(ports)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_until(fact: Callable[[], object], what: str, *, seconds: float = PATIENCE_S) -> None:
    """Look again and again until `fact` holds. Fails the test, naming what was waited for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if fact():
            return
        time.sleep(0.05)
    pytest.fail(f"waited {seconds:g} s in vain for: {what}")


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
        wait_until(self._serves, f"RabbitMQ to start, see {self.folder}")

    def stop(self, kill: bool = False) -> None:
        """Stop the node; its data stays for the next start."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL if kill else signal.SIGTERM)
            self._process.wait(PATIENCE_S)
            self._process = None

    def crash(self) -> None:
        """SIGKILL, as soon as the node would find its queues again.

        RabbitMQ 3.10 writes down once a second which members of Raft groups it runs: each quorum queue is one, and so
        is the coordinator of all streams, which begins with the first of them. A node that is killed before that finds
        the queue after its start, but not who holds it, and refuses it for good ("home node is down or inaccessible").
        """
        wait_until(lambda: not self._unwritten(), "RabbitMQ to write down which queues it has")
        self.stop(kill=True)

    def _unwritten(self) -> list[Path]:
        """Folders of members of Raft groups that the list of names beside them does not name yet."""
        return [
            folder
            for names in self._lists()
            for folder in names.parent.iterdir()
            if folder.is_dir() and folder.name.encode() not in names.read_bytes()
        ]

    def _lists(self) -> Iterator[Path]:
        return self.folder.glob("mnesia/*/*/*/names.dets")

    def lose_leaders(self) -> None:
        """Stop, lose the lists of who holds which queue, as a crash at the wrong moment does, and start again."""
        self.stop()
        for names in self._lists():
            names.unlink()
        self.start()

    def _serves(self) -> bool:
        try:
            self.api("GET", "/api/overview")
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S):
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
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            told = answer.read()
        return json.loads(told) if told else None

    def control(self, *words: str) -> None:
        """One command of `rabbitmqctl` at this node."""
        tool = Path(self._binary).with_name("rabbitmqctl")
        surroundings = {**os.environ, "HOME": str(self.folder)}  # the node's cookie lies there
        subprocess.run(
            [tool, "--quiet", "--node", self._name, *words], env=surroundings, check=True, capture_output=True
        )

    @property
    def log(self) -> str:
        """All that the node has written down."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("log/*@localhost.log")))

    @contextmanager
    def memory_alarm(self) -> Iterator[Callable[[], None]]:
        """RabbitMQ's alarm for memory, until the end or until what this hands out is called."""

        def end() -> None:
            self.control("set_vm_memory_high_watermark", "0.6")

        self.control("set_vm_memory_high_watermark", "0.0001")
        try:
            yield end
        finally:
            end()

    @contextmanager
    def consumer_timeout(self, seconds: int) -> Iterator[None]:
        """Channels that are opened from now on have to acknowledge within so many seconds; looked at every second."""

        def keep(timeout_ms: int, look_ms: int) -> None:
            for name, value in (("consumer_timeout", timeout_ms), ("channel_tick_interval", look_ms)):
                self.control("eval", f"application:set_env(rabbit, {name}, {value}).")

        keep(seconds * 1_000, 1_000)
        try:
            yield
        finally:
            keep(1_800_000, 60_000)

    def limit(self, amqp_url: str, queue: str, messages: int | None) -> None:
        """Let a queue of a virtual host hold no more than so many messages; None lifts the limit."""
        policy = f"/api/policies/{amqp_url.rpartition('/')[2]}/small"
        if messages is None:
            self.api("DELETE", policy)
            return
        small = {"pattern": f"^{queue}$", "definition": {"max-length": messages}, "apply-to": "queues"}
        self.api("PUT", policy, small)

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
    named = os.environ.get("TEST_RABBITMQ_SERVER")
    binary = next((path for path in ([named] if named else RABBITMQ_SERVER) if Path(path).exists()), None)
    if binary is None:
        missing(
            f"RabbitMQ's binaries: apt-get install rabbitmq-server, or correct TEST_RABBITMQ_SERVER={named}"
        )
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
