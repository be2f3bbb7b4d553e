"""Options that several commands have about the file they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FileArgument = Annotated[
    Path, typer.Argument(help=".csv, .tsv, .jsonl, .ndjson, each also with .gz, or .parquet")
]
TextColumn = Annotated[str, typer.Option(help="Column with the review's text.")]
