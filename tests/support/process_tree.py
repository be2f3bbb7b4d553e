"""Processes as the kernel tells of them: children, state, memory."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


def status(pid: int) -> dict[str, str]:
    """The fields of /proc/PID/status; empty for a process that is gone."""
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def is_alive(pid: int) -> bool:
    """Whether a process runs: one that has ended and was not waited for does not."""
    return status(pid).get("State", "Z")[0] != "Z"


def children(pid: int) -> list[int]:
    """The processes that one has started, alive ones only."""
    found = []
    for place in PROC.iterdir():
        if place.name.isdigit():
            told = status(int(place.name))
            if told.get("PPid") == str(pid) and told["State"][0] != "Z":
                found.append(int(place.name))
    return sorted(found)


def resident_mib(pid: int) -> float:
    """Memory that a process holds, in MiB; 0 for one that is gone."""
    return int(status(pid).get("VmRSS", "0 kB").split()[0]) / 1024
