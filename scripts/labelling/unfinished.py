"""A run of `otzyv label` or `predict` that did not come to its end: where its work lies, and how it goes on.

Which messages are stored is asked of the database; a file beside it says which run that was, and what its stages did.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from scripts.command.console import remark
from scripts.files.review_rows import ReviewRows
from scripts.files.whole_file import write_text
from scripts.labelling.report.summary import StageRow
from scripts.language.language import counted, translated
from shared.errors import ConfigurationError
from shared.runtime import runtime
from shared.settings import Settings

LONGEST_REMOVAL_S: Final = 10.0
"""How long a folder is waited for that cannot be removed yet."""


class Done(msgspec.Struct):
    """What a run has done. `identity` stands for the file, how it is read, and by what it is labelled."""

    identity: str
    batch: str
    rows: int = 0
    seconds: float = 0.0
    tallies: dict[str, StageRow] = {}


class UnfinishedRun:
    """A run and its folder. `done.rows` is 0 where there is nothing to go on from."""

    def __init__(self, folder: Path, path: Path, identity: str) -> None:
        self.folder = folder
        self.file = folder / f"unfinished-{_short(path)}.json"
        self.done = Done(identity, str(uuid.uuid4()))
        try:
            found = msgspec.json.decode(self.file.read_bytes(), type=Done)
        except (OSError, ValueError):
            return
        if found.identity == identity:
            self.done = found
        else:
            told = translated(
                "the earlier run to the same --out was of another file, or labelled it otherwise"
            )
            remark(translated("anew"), told)

    def tell_earlier(self) -> None:
        """Say how much an earlier run has done, as far as it had noted that."""
        done = self.done.rows
        told = counted(
            "{number} row was done by an earlier run", "{number} rows were done by an earlier run", done
        )
        remark(translated("goes on"), told)

    def note(self) -> None:
        """Keep what has been done by now."""
        write_text(self.file, msgspec.json.encode(self.done).decode())

    def end(self, *, finished: bool, temporary: bool) -> None:
        """Remove what a run leaves that is finished or has done nothing; else say where it lies."""
        if not finished and self.done.rows:
            self.note()  # the end may have come between a part and its note
            told = counted(
                "{number} row is done: the same command goes on from there. It lies in {folder}",
                "{number} rows are done: the same command goes on from there. They lie in {folder}",
                self.done.rows,
                folder=self.folder,
            )
            remark(translated("kept"), told + (translated("; remove it to begin anew") if temporary else ""))
            return
        for name in (self.file, self.file.with_suffix(".lock")):
            name.unlink(missing_ok=True)
        if temporary:
            remove(self.folder)


def remove(folder: Path) -> None:
    """Remove a folder in which processes of an interrupted start of PostgreSQL may write for a moment more."""
    until = time.monotonic() + LONGEST_REMOVAL_S
    shutil.rmtree(folder, ignore_errors=True)
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.1)
        shutil.rmtree(folder, ignore_errors=True)


def identity(rows: ReviewRows, settings: Settings, *by: str) -> str:
    """The same for the same file, read in the same way and labelled by the same stages, or what else it is done `by`.

    Raises InputFileError.
    """
    state = rows.file.path.stat()
    _, first = next(rows.chunks(), ([], []))
    told = (
        str(rows.file.path.resolve()),
        (state.st_size, state.st_mtime_ns),
        first,
        runtime.load_taxonomy(settings).version,
        settings.cascade_stages,
        (settings.batch_rows, settings.max_text_chars, settings.mask_personal_data),
        by,
    )
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


@contextmanager
def unfinished(path: Path, store: Path | None, identity: str) -> Iterator[UnfinishedRun]:
    """The run that writes to `path`, in a folder that outlives an interrupted one: `store`, or one for temporary files.

    Raises ConfigurationError where another run writes there.
    """
    folder = store or Path(tempfile.gettempdir()) / f"otzyv-{os.getuid()}-{_short(path)}"
    try:
        folder.mkdir(mode=0o777 if store else 0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise ConfigurationError(
            f"{folder}: expected a folder for its data, found: {error.strerror}; choose another --store"
        ) from error
    if store is None and (not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid()):
        raise ConfigurationError(
            f"{folder}: expected a folder of this user, found somebody else's; name another place with --store"
        )
    with (folder / f"unfinished-{_short(path)}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigurationError(
                f"{path}: expected one run at a time that writes there, found another; wait for its end"
            ) from error
        run = UnfinishedRun(folder, path, identity)
        if store is None and not run.done.rows:
            shutil.rmtree(folder / "postgres", ignore_errors=True)
        finished = False
        try:
            yield run
            finished = True
        finally:
            run.end(finished=finished, temporary=store is None)


def _short(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:12]
