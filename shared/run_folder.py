"""Where a training run keeps its checkpoints: a folder for the run, and in it one for each attempt.

Two processes may believe for a while that a run is theirs, when one of them cannot reach the database: they never write
into one folder. Whoever takes a run over begins with copies of the newest checkpoint that is whole.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from shared.classifiers import checkpoints
from shared.store.runs import Run


def of_run(place: str, run: Run) -> Path:
    """The folder of a run. Numbers of runs begin anew in every database, so its key is part of the name."""
    return Path(place) / f"run-{run.id}-{run.key[:8]}"


def of_attempt(place: str, run: Run) -> Path:
    """The folder of this attempt, with the newest checkpoint of earlier ones if there is any."""
    folder = of_run(place, run) / f"attempt-{run.attempt}"
    if not folder.exists():
        folder.mkdir(parents=True)
        earlier = [of_run(place, run) / f"attempt-{number}" for number in range(run.attempt - 1, 0, -1)]
        for one in earlier:
            if checkpoints.inherit(one, folder):
                break
    return folder


def clear(place: str, run: Run) -> None:
    """Delete all checkpoints of a run that has ended; what an integration such as TensorBoard wrote there stays."""
    folder = of_run(place, run)
    for attempt in folder.glob("attempt-*"):
        for checkpoint in attempt.glob("checkpoint-*"):
            shutil.rmtree(checkpoint, ignore_errors=True)
        with suppress(OSError):
            attempt.rmdir()
    with suppress(OSError):
        folder.rmdir()
