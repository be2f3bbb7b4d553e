"""What commands read of a file of reviews: its rows in the wire contract, or the sentence that refuses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.files.input_file import InputFile
from scripts.files.review_rows import Columns, ReviewRows
from shared.errors import InputFileError


def wire(
    path: Path, columns: Columns | None = None, source: str = "file", **options: Any
) -> list[dict[str, Any]]:
    """Rows as objects of the wire contract."""
    rows = ReviewRows(InputFile(path, **options), columns or Columns(), source)
    return [row for _, chunk in rows.chunks() for row in chunk]


def texts(path: Path, **options: Any) -> list[str]:
    return [row["text"] for row in wire(path, **options)]


def fault(path: Path, columns: Columns | None = None, **options: Any) -> str:
    """The error over a file that is refused."""
    with pytest.raises(InputFileError) as refused:
        wire(path, columns, **options)
    return str(refused.value)
