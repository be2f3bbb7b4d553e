"""A build's own benchmark, in processes of its own: what it can be asked for, and the figures that it gives."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from scripts.bench.system import processes
from scripts.bench.system.builds import Build, end_of, without_python
from shared.errors import ConfigurationError
from shared.settings import Settings

COMMAND: Final = "from scripts.cli import main; main()"
CLEAN_UP_S: Final = 120.0
"""So long a benchmark has to delete its database and queues when it is told to end."""
COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
OPTION: Final = re.compile(r"--[a-z][a-z-]*")
Noted = Mapping[str, Any]
"""What a benchmark notes of a turn, as JSON has it."""


@dataclass(frozen=True)
class BuildRun:
    """A benchmark of a build, on some servers and with a folder for its log."""

    build: Build
    command: str
    settings: Settings
    folder: Path

    @cached_property
    def options(self) -> set[str]:
        """The options that it has, from its help. Raises ConfigurationError where there is no such benchmark."""
        told = self._ended("--help").read_text(encoding="utf-8", errors="replace")
        return {*OPTION.findall(COLOUR.sub("", told))}

    def require(self, *options: str) -> None:
        """Raises ConfigurationError unless it has these options."""
        missing = [option for option in (*options, "--json") if option not in self.options]
        if missing:
            raise ConfigurationError(
                f"--against: expected a revision whose `otzyv bench {self.command}` knows {', '.join(missing)}, found "
                f"{self.build.name}, which does not; leave that out, or name a later revision"
            )

    def measured(self, *words: str) -> Noted:
        """The figures of the only turn that it is asked for. Raises ConfigurationError where it gives none."""
        figures = self.folder / "figures.json"
        figures.unlink(missing_ok=True)
        log = self._ended(*words, "--json", str(figures))
        try:
            return read(figures.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"`otzyv bench {self.command}` of {self.build.name}: expected figures of a turn as JSON, found "
                f"{error}; name another revision. The end of its log:\n{end_of(log)}"
            ) from error

    def _ended(self, *words: str) -> Path:
        """Run it to its end; its log. Raises ConfigurationError where it fails."""
        log = self.folder / "build.log"
        # Wide, so that help breaks no option.
        surroundings = processes.environment(self.settings, COLUMNS="300", NO_COLOR="1")
        if self.build.commit:
            surroundings = without_python(surroundings)
        command = [str(self.build.python), "-c", COMMAND, "bench", self.command, *words]
        status = _status(command, self.build.folder, surroundings, log)
        if status:
            raise ConfigurationError(
                f"`otzyv bench {self.command}` of {self.build.name}: expected it to end well, found exit status "
                f"{status}; mend what the end of its log says, or name another revision:\n{end_of(log)}"
            )
        return log


def _status(command: Sequence[str], folder: Path, surroundings: dict[str, str], log: Path) -> int:
    """How a process ended. It is told to end, and waited for, where this one is ended."""
    with (
        log.open("wb") as handle,
        # In a session of its own: Ctrl-C is told once, by us, so that its clean-up is not cut short by a second.
        subprocess.Popen(
            command, cwd=folder, env=surroundings, stdin=subprocess.DEVNULL, stdout=handle, stderr=handle,
            start_new_session=True,
        ) as process,
    ):  # fmt: skip
        try:
            return process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(CLEAN_UP_S)
                process.kill()


def read(document: bytes) -> Noted:
    """The turn that a benchmark wrote, of any revision. Raises ValueError where there is not just one."""
    found = json.loads(document)
    turns = found.get("runs") if isinstance(found, dict) else None
    if not isinstance(turns, list) or len(turns) != 1 or not isinstance(turns[0], dict):
        raise ValueError("no `runs` with one turn")
    return dict(turns[0])


def flat(run: Noted, before: str = "") -> dict[str, float]:
    """The numbers of a turn by their paths, such as `cpu_us.store`; of CPU time the sum as well, as `cpu_us.all`."""
    found: dict[str, float] = {}
    for name, value in run.items():
        if isinstance(value, Mapping):
            inner = flat(value, f"{before}{name}.")
            if name.startswith("cpu_us"):
                inner[f"{before}{name}.all"] = sum(inner.values())
            found |= inner
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[before + name] = float(value)
    return found
