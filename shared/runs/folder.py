"""Where a training run keeps its checkpoints: a folder for the run, and in it one for each attempt.

Two processes may believe for a while that a run is theirs, when one of them cannot reach the database: they never write
into one folder. Whoever takes a run over begins with copies of the newest checkpoint that is whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from shared.store.runs import Run
from shared.training import checkpoints


def of_run(place: str, run: Run) -> Path:
    """The folder of a run. Numbers of runs begin anew in every database, so its key is part of the name."""
    return Path(place) / f"run-{run.id}-{run.key[:8]}"


def of_attempt(place: str, run: Run) -> Path:
    """The folder of this attempt, with the newest checkpoint of earlier ones if there is any."""
    folder, *earlier = (of_run(place, run) / f"attempt-{number}" for number in range(run.attempt, 0, -1))
    folder.mkdir(parents=True, exist_ok=True)
    for at, one in enumerate(earlier):
        if checkpoints.inherit(one, folder):
            _clear(earlier[at + 1 :])
            break
    return folder


def clear(place: str, run: Run) -> None:
    """Delete all checkpoints of a run that has ended; what an integration such as TensorBoard wrote there stays."""
    folder = of_run(place, run)
    _clear(folder.glob("attempt-*"))
    with suppress(OSError):
        folder.rmdir()


def _clear(attempts: Iterable[Path]) -> None:
    for attempt in attempts:
        for checkpoint in attempt.glob("checkpoint-*"):
            shutil.rmtree(checkpoint, ignore_errors=True)
        with suppress(OSError):
            attempt.rmdir()
