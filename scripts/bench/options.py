"""What every benchmark is given: texts, and where the figures go besides the terminal."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from scripts.files.options import FileArgument, TableOptions, TextColumn
from shared.errors import ConfigurationError


def _can_be_written(path: Path | None) -> Path | None:
    """Said before the measurement, not after it."""
    if path is not None and (path.is_dir() or not os.access(path.absolute().parent, os.W_OK)):
        raise ConfigurationError(
            f"--json {path}: expected a file in a folder that can be written to, found none; make the folder, or "
            "choose another"
        )
    return path


Against = Annotated[
    str | None,
    typer.Option(
        metavar="REVISION",
        help="By turns with the build of a git revision, and nothing else; it is built once, in the user's cache.",
    ),
]


@dataclass(frozen=True)
class BenchOptions(TableOptions):
    """A file with texts to measure with, and a file for the figures."""

    file: FileArgument
    text_column: TextColumn = None
    json: Annotated[
        Path | None,
        typer.Option("--json", help="Write the figures there as well.", callback=_can_be_written),
    ] = None

    def texts(self) -> list[str]:
        """Raises InputFileError where the file has no such column."""
        return self.texts_of(self.file, self.text_column)

    def write(self, figures: object) -> None:
        """Write them where that was asked for."""
        if self.json is not None:
            self.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")
