"""What takes long to make, made once a run: by the first process of tests that asks, and read by all others."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from filelock import FileLock

T = TypeVar("T")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], T]) -> T:
    """What `make` returns for an empty folder, which stays as it was left until the run ends.

    Each process gets a copy of its own, so that nobody sees what others do to it. Whoever changes files in the folder
    copies them first.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # of all processes of this run
    folder, kept = root / "once" / name, root / "once" / f"{name}.pickle"
    kept.parent.mkdir(exist_ok=True)
    with FileLock(kept.with_suffix(".lock")):
        if not kept.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed half-way
            folder.mkdir()
            written = kept.with_suffix(".new")
            written.write_bytes(pickle.dumps(make(folder)))
            written.rename(kept)
        made: T = pickle.loads(kept.read_bytes())  # noqa: S301  our own, of a moment ago
        return made
