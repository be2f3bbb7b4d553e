"""Files that commands write: each gets to its place whole or not at all; whether it can is asked before the work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from shared.errors import InputFileError

FORMATS = (".csv", ".jsonl", ".parquet", ".xlsx")
"""Of files of rows."""


class OutFile(msgspec.Struct, frozen=True):
    """A file of rows to write; with semicolons, a CSV that Excel in Russian opens by a double click."""

    path: Path
    semicolons: bool = False


def check(labels: Path, report: Path | None, given: Path, formats: Sequence[str] = FORMATS) -> None:
    """Raises InputFileError, before any work is done, when the results cannot be written there."""
    if labels.suffix.lower() not in formats:
        raise InputFileError(
            f"{labels}: expected an output name that ends in {', '.join(formats)}; rename --out"
        )
    taken = {given.resolve(): "the input"}
    for path in (labels, report):
        if path is None:
            continue
        if path.resolve() in taken:
            raise InputFileError(
                f"{path}: expected a file of its own, found the name of {taken[path.resolve()]}; choose another"
            )
        taken[path.resolve()] = "the labels"
        if path.is_dir() or not path.parent.is_dir():
            raise InputFileError(f"{path}: expected a file in an existing folder; create {path.parent} first")
        probe = _unfinished(path)
        try:
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise InputFileError(
                f"{path}: expected a folder in which a file can be written, found: {error.strerror}"
            ) from error


def _unfinished(path: Path) -> Path:
    """Where a file is put together: beside its place, so that it can be moved there in one step."""
    target = path.resolve()
    return target.with_name(f".{target.name}.unfinished")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to put a file together, so that it gets to its place whole or not at all. Raises InputFileError."""
    unfinished = _unfinished(path)
    try:
        yield unfinished
        unfinished.replace(path.resolve())
    except OSError as error:
        raise InputFileError(
            f"{path}: expected to write the results there, found: {error.strerror or error}; free some disk space "
            "or choose another folder"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing. Raises InputFileError."""
    with whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
