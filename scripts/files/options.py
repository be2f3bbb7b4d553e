"""The options of commands that are given a file of reviews, declared once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from scripts.files.input_file import InputFile
from scripts.files.review_rows import Columns, ReviewRows

FileArgument = Annotated[
    Path, typer.Argument(help=".csv, .tsv, .jsonl, .ndjson, each also with .gz, or .parquet")
]
TextColumn = Annotated[str, typer.Option(help="Column with the review's text.")]


@dataclass(frozen=True)
class FileOptions:
    """A file of reviews, and how it is to be read."""

    file: FileArgument
    text_column: TextColumn = "text"
    id_column: Annotated[
        str | None, typer.Option(help="Column with the review's id. (default: id, else its row and text)")
    ] = None
    source_column: Annotated[
        str | None, typer.Option(help="Column with the review's source. (default: source)")
    ] = None
    created_column: Annotated[str | None, typer.Option(help="Column with the time of writing, ISO 8601.")] = (
        None
    )
    source: Annotated[
        str | None, typer.Option("--source", help="Source of all rows. (default: the file's name)")
    ] = None
    encoding: Annotated[str, typer.Option(help="Encoding of a text file, for example cp1251.")] = "utf-8"
    delimiter: Annotated[
        str | None, typer.Option(help="Column delimiter of a CSV. (default: , ; or tab)")
    ] = None

    def rows(self) -> ReviewRows:
        """The file's rows. Raises InputFileError."""
        columns = Columns(
            text=self.text_column,
            id=self.id_column,
            created_at=self.created_column,
            source=self.source_column,
        )
        file = InputFile(self.file, encoding=self.encoding, delimiter=self.delimiter)
        # A file's name without its endings, packed or not: both hold the same reviews.
        name = Path(self.file.name.removesuffix(".gz")).stem[:200] or self.file.name[:200]
        return ReviewRows(file, columns, self.source or name)
