"""A row of a file, and what holds for the rows of every format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shared.errors import InputFileError

Record = dict[str, Any]

CHUNK_ROWS = 10_000


def refuse_duplicates(path: Path, names: Iterable[str]) -> None:
    """Raises InputFileError where two columns have one name."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise InputFileError(
            f"{path}: expected columns with different names, found more than one {twice!r}; rename one"
        )
