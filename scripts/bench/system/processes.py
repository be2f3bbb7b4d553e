"""The processes that a benchmark measures, started as a user would start them, and the CPU time that they take."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.settings import Settings

_TICKS = os.sysconf("SC_CLK_TCK")
_COMMAND = "from scripts.cli import main; main()"


@contextmanager
def otzyv(*arguments: str, settings: Settings, log: Path, **more: str) -> Iterator[int]:
    """A long-running `otzyv` command; gives its process number, and ends it politely."""
    with started([sys.executable, "-c", _COMMAND, *arguments], environment(settings, **more), log) as number:
        yield number


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The environment of a process on a benchmark's services, with quiet logs and otherwise the defaults."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTZYV_")}
    return {
        **kept,
        "OTZYV_AMQP_URL": settings.amqp_url,
        "OTZYV_DATABASE_URL": settings.database_url,
        **more,
    }


@contextmanager
def started(command: list[str], surroundings: dict[str, str], log: Path) -> Iterator[int]:
    """A process of its own session; gives its number, and ends it politely."""
    with (
        log.open("ab") as handle,
        subprocess.Popen(
            command, env=surroundings, stdout=handle, stderr=handle, start_new_session=True
        ) as process,
    ):
        try:
            yield process.pid
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


def cpu_seconds(number: int) -> float:
    """CPU time of a process and its children so far, those that have ended included. From Linux's /proc."""
    # User and system time of each, and of those of its children that have ended.
    return sum(sum(map(int, _stat(one)[11:15])) for one in _family(number)) / _TICKS


def cpu_seconds_named(name: str) -> dict[int, float]:
    """The same for all processes of that name on this machine, such as `postgres`, by the number of their first parent.

    By families, since a process that ends is counted once more, with its parent.
    """
    entries = Path("/proc").glob("[0-9]*")
    named = {int(entry.name) for entry in entries if _read(entry / "comm").strip() == name}
    stats = {number: _stat(number) for number in named}
    return {one: cpu_seconds(one) for one, stat in stats.items() if not stat or int(stat[1]) not in named}


def resident_bytes(number: int) -> dict[int, int]:
    """Resident memory of a process and of each of its children, by their numbers."""
    found = {}
    for one in _family(number):
        pages = _read(Path(f"/proc/{one}/statm")).split()
        if pages:
            found[one] = int(pages[1]) * os.sysconf("SC_PAGE_SIZE")
    return found


def _family(number: int) -> list[int]:
    children = _read(Path(f"/proc/{number}/task/{number}/children")).split()
    return [number, *(one for child in children for one in _family(int(child)))]


def _stat(number: int) -> list[str]:
    """What the system notes of a process, from its state on; empty where it has ended."""
    return _read(Path(f"/proc/{number}/stat")).rpartition(")")[2].split()


def _read(path: Path) -> str:
    """The file, or nothing where the process has ended."""
    try:
        return path.read_text()
    except OSError:
        return ""
