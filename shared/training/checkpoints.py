"""Checkpoints that a process may be killed in the middle of: only those count that were written to their end.

A marker with the names and sizes of all files is put into a checkpoint by rename after everything else is written. A
folder without it, or with other files than it names, is deleted.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, Final

MARKER: Final = "whole.json"
STATE: Final = "trainer_state.json"
KEPT: Final = 2
"""Newest checkpoints that are kept, besides the best one."""

_NAME: Final = re.compile(r"checkpoint-(\d+)")


def place(run: Path, step: int) -> Path:
    """The folder of the checkpoint after some step, as transformers names it."""
    return run / f"checkpoint-{step}"


def seal(checkpoint: Path) -> None:
    """Say that a checkpoint is whole; call it when its last file is written."""
    unfinished = checkpoint / f"{MARKER}.unfinished"
    unfinished.write_text(json.dumps(_sizes(checkpoint)), encoding="utf-8")
    unfinished.replace(checkpoint / MARKER)


def is_whole(checkpoint: Path) -> bool:
    """Whether all files of a checkpoint are there, as long as they were written."""
    try:
        named = json.loads((checkpoint / MARKER).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(named, dict) and STATE in named and named == _sizes(checkpoint)


def newest(run: Path) -> Path | None:
    """The newest checkpoint to go on from: whole, and so is the best one so far that it names. Deletes all broken ones.

    None where the run has to begin anew.
    """
    for checkpoint in _all(run):
        if not is_whole(checkpoint):
            _delete(checkpoint)
    for checkpoint in reversed(_all(run)):
        best = state(checkpoint)["best_global_step"]
        if not best or is_whole(place(run, best)):
            return checkpoint
        _delete(checkpoint)
    return None


def inherit(earlier: Path, run: Path) -> bool:
    """Copy the newest whole checkpoint of another folder, and the best one it names; whether there is any.

    The other folder is left as it is: somebody may write there still.
    """
    for checkpoint in reversed(_all(earlier)):
        if not is_whole(checkpoint):
            continue
        best = state(checkpoint)["best_global_step"]
        wanted = {checkpoint} | ({place(earlier, best)} if best else set())
        if all(_copied(one, run / one.name) for one in sorted(wanted)):
            return True
        for one in wanted:
            shutil.rmtree(run / one.name, ignore_errors=True)
    return False


def _copied(checkpoint: Path, target: Path) -> bool:
    """Copy a checkpoint and let its state name the folder it lies in now; False where it was not whole any more."""
    try:
        if not is_whole(checkpoint):
            return False
        shutil.copytree(checkpoint, target)
        if _sizes(checkpoint) != _sizes(target):
            return False
        told = state(target)
        if told["best_global_step"]:
            told["best_model_checkpoint"] = str(place(target.parent, told["best_global_step"]))
        (target / STATE).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    except OSError:
        return False
    seal(target)
    return True


def tidy(run: Path, best_step: int | None) -> None:
    """Delete checkpoints but the newest ones and the best one."""
    old = _all(run)[:-KEPT]
    for checkpoint in old:
        if best_step is None or checkpoint != place(run, best_step):
            _delete(checkpoint)


def state(checkpoint: Path) -> dict[str, Any]:
    """What the trainer of transformers wrote about itself into a whole checkpoint."""
    told: dict[str, Any] = json.loads((checkpoint / STATE).read_bytes())
    return told


def _all(run: Path) -> list[Path]:
    """Checkpoints of a run, whole or not, the oldest first."""
    found = [
        (int(named[1]), path) for path in run.glob("checkpoint-*") if (named := _NAME.fullmatch(path.name))
    ]
    return [path for _, path in sorted(found)]


def _delete(checkpoint: Path) -> None:
    (checkpoint / MARKER).unlink(missing_ok=True)
    shutil.rmtree(checkpoint)


def _sizes(checkpoint: Path) -> dict[str, int]:
    """Sizes in bytes of all files below a checkpoint, the marker left out, by their names in it."""
    return {
        path.relative_to(checkpoint).as_posix(): path.stat().st_size
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file() and not path.name.startswith(MARKER)
    }
