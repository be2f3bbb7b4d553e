"""What all pretrained models have in common, whatever loads them: a version by their files, errors in one line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shared.errors import ModelError

DIGITS: Final = 12
"""Hexadecimal digits of a version."""


def first_line(error: Exception) -> str:
    """What an error says, without the paragraphs that libraries append."""
    return (str(error).strip() or repr(error)).splitlines()[0]


def kind_and_line(error: Exception) -> str:
    """The same after the kind of error, for libraries whose errors say little without."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


@contextmanager
def usable(place: object, what: str) -> Iterator[None]:
    """Raises ModelError, which says that `what` was expected at a place, instead of whatever a library raises."""
    try:
        yield
    except Exception as error:
        raise ModelError(f"{place}: expected {what}, found: {kind_and_line(error)}") from error


def version_of(files: Iterable[Path], *, named: bool) -> str:
    """The first digits of the SHA-256 over files, in the order of their paths; `named` counts their names in."""
    digest = hashlib.sha256()
    for path in sorted(files):
        if named:
            digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:DIGITS]
