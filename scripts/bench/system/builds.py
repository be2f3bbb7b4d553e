"""Builds of Otzyv that a benchmark measures: this one, and those of other revisions, each in a folder of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import scripts
from scripts.command.progress import phase
from shared.errors import ConfigurationError

HOME: Final = Path(scripts.__file__).resolve().parents[1]
"""Where the code of this build lies."""
LAST_LINES: Final = 15
"""So much of a log is told."""


@dataclass(frozen=True)
class Build:
    """Code that can be measured: what it is called, its interpreter, and the folder in which its modules are found."""

    name: str
    commit: str
    python: Path
    folder: Path


def this_build() -> Build:
    """The code that runs now, with what is not committed yet."""
    return Build("this build", "", Path(sys.executable), HOME)


def build_of(revision: str, checkout: Path = HOME) -> Build:
    """The code of a git revision, built where it is not yet. Raises ConfigurationError."""
    commit = commit_of(revision, checkout)
    folder = builds_folder() / commit
    folder.parent.mkdir(parents=True, exist_ok=True)
    python = folder / ".venv/bin/python"
    with _alone(folder.with_suffix(".lock")):
        # An environment's interpreter is a link to one that may have been removed since.
        if not python.exists():
            whole(folder, lambda part: _make(checkout, commit, part))
    name = commit[:8] if commit.startswith(revision) else f"{revision} ({commit[:8]})"
    return Build(name, commit, python, folder)


def commit_of(revision: str, checkout: Path = HOME) -> str:
    """The hash of the commit that a revision names. Raises ConfigurationError where there is none, or no checkout."""
    top = _git(checkout, "rev-parse", "--show-toplevel")
    # Packages may lie somewhere inside of another project's checkout.
    if top.returncode or Path(top.stdout.strip()).resolve() != checkout.resolve():
        found = top.stderr.strip() or f"a folder in that of {top.stdout.strip()}"
        raise ConfigurationError(
            f"--against {revision}: expected Otzyv to run from its git checkout, found {checkout}, {found}; clone the "
            "repository and install it there with `pip install -e .`"
        )
    named = _git(checkout, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if named.returncode:
        raise ConfigurationError(
            f"--against {revision}: expected a revision of {checkout}, found none of that name; `git -C {checkout} log "
            "--oneline` lists some, and a shallow clone has only the last: `git fetch --unshallow`"
        )
    return named.stdout.strip()


def builds_folder() -> Path:
    """Where builds are kept: a folder of the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otzyv" / "builds"


def whole(folder: Path, make: Callable[[Path], None]) -> None:
    """A folder that is made beside its place and moved there once it is whole; what was there, or half there, goes."""
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    make(part)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def end_of(log: Path) -> str:
    """The last lines of a log, to be told in an error."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return "\n".join(lines[-LAST_LINES:]) or "nothing"


def _make(checkout: Path, commit: str, part: Path) -> None:
    """The tree of a commit, and an environment with the versions that it was tested with."""
    short = commit[:8]
    with phase(f"building {short} in {part.parent}, once: its files"):
        archive = part / "tree.tar"
        _built(short, part, ["git", "-C", str(checkout), "archive", "-o", str(archive), commit])
        with tarfile.open(archive) as packed:
            packed.extractall(part, filter="data")
        archive.unlink()
    with phase(f"building {short}: an environment of its own; a minute or more"):
        _built(short, part, [sys.executable, "-m", "venv", str(part / ".venv")])
        # Moved afterwards: nothing that is installed may point to where it was, so no `--editable`.
        pip = [str(part / ".venv/bin/python"), "-m", "pip", "install", "--quiet"]
        _built(short, part, [*pip, "-c", "constraints.txt", "."])


def _built(short: str, part: Path, command: Sequence[str]) -> None:
    """A step of a build. Raises ConfigurationError with the end of its log."""
    log = part / "build.log"
    with log.open("ab") as handle:
        done = subprocess.run(
            command, cwd=part, env=without_python(os.environ), stdout=handle, stderr=handle, check=False
        )
    if done.returncode:
        raise ConfigurationError(
            f"--against: expected to build {short}, found that `{' '.join(command)}` ended with "
            f"{done.returncode}; mend what the end of {log} says, or name another revision:\n{end_of(log)}"
        )


def without_python(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what leads Python to modules of another build."""
    return {name: value for name, value in environment.items() if not name.startswith("PYTHON")}


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One builder at a time; others wait for it."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _git(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What git says in the checkout. Raises ConfigurationError where there is no git."""
    command = ["git", "-C", str(checkout), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ConfigurationError(
            "--against: expected the program git, found none; install it (`apt-get install git`)"
        ) from error
