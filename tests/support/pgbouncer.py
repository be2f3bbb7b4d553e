"""A real PgBouncer in front of a PostgreSQL of the tests, where its binary is installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg2.extensions import parse_dsn

from tests.support.servers import free_port, wait_until

CONFIGURATION = """\
[databases]
* = host={host} user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
{settings}
"""


@contextmanager
def pgbouncer(url: str, settings: str) -> Iterator[str]:
    """The URL of the same database behind a PgBouncer; `settings` are lines of its section `pgbouncer`."""
    binary = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if binary is None:
        pytest.skip(
            "PgBouncer, which is no part of a set-up that is tested everywhere: apt-get install pgbouncer"
        )
    server, port = parse_dsn(url), free_port()
    with tempfile.TemporaryDirectory(prefix="otzyv-pgbouncer-") as folder:
        file = Path(folder) / "pgbouncer.ini"
        file.write_text(CONFIGURATION.format(host=server["host"], port=port, settings=settings))
        Path(folder).chmod(0o755)
        # It refuses to run as root, and the server's socket is for the server's user.
        process = subprocess.Popen(
            [binary, "--quiet", str(file)], user=Path(server["host"]).stat().st_uid, stderr=subprocess.DEVNULL
        )
        try:
            wait_until(lambda: _listens(port), "PgBouncer to listen")
            yield f"postgresql://postgres@127.0.0.1:{port}/{server['dbname']}"
        finally:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False
