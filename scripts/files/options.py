"""The options of commands that are given tables, declared once: how a table is to be read, and what its columns are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from scripts.files.columns import in_our_words, names_in, require_columns, without_rejected
from scripts.files.csv_rows import Quotes
from scripts.files.ids import are_fractions, refuse_damaged, refuse_ruined, refuse_zeros, whole
from scripts.files.input_file import InputFile
from scripts.files.label_studio import answered_tasks, are_tasks
from scripts.files.presets import PRESETS, PresetName
from scripts.files.record import Chunk, cell
from scripts.files.review_rows import Columns, ReviewRows
from shared.reviews import review

FileArgument = Annotated[
    Path,
    typer.Argument(
        help=".csv, .tsv, .txt, .json, .jsonl, .ndjson, each also with .gz; .xlsx, .xlsm, .xlsb, .xls, .ods; or "
        ".parquet"
    ),
]
TextColumn = Annotated[
    list[str] | None,
    typer.Option(
        help="Column with the review's text; several times, to join columns. (default: text, or a name like it, as "
        "found)"
    ),
]

Semicolons = Annotated[
    bool,
    typer.Option(
        "--semicolons",
        help="Write a CSV with semicolons and decimal commas, for a double click in Russian Excel.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """How the tables of a command are to be read, where that is not to be found by itself."""

    encoding: Annotated[
        str | None, typer.Option(help="Encoding of a text file, for example koi8-r. (default: found)")
    ] = None
    delimiter: Annotated[
        str | None, typer.Option(help="Column delimiter of a CSV. (default: , ; or tab, as found)")
    ] = None
    quotes: Annotated[
        Quotes,
        typer.Option(
            help="What quotes are in a CSV: none: parts of texts; always: around cells; auto: the same, but what looks "
            "like rows swallowed by a stray quote is refused."
        ),
    ] = "auto"
    header: Annotated[
        int | None,
        typer.Option(
            min=1, help="Line or row with the columns' names. (default: the first that is not blank)"
        ),
    ] = None
    sheet: Annotated[str | None, typer.Option(help="Sheet of a workbook. (default: the first with rows)")] = (
        None
    )

    def table(self, path: Path) -> InputFile:
        """A table among those of the command. Raises InputFileError."""
        return InputFile(
            path,
            encoding=self.encoding,
            delimiter=self.delimiter,
            quotes=self.quotes,
            header=self.header,
            sheet=self.sheet,
        )

    def records(self, path: Path, *columns: str, control: str | None = None) -> Chunk:
        """All rows of a table of gold, answers, labels or texts, which has these columns, and ids as they were.

        Label Studio's JSON export is such a table too. An answer, where a file has such a column, or one that is called
        like the control that is named, is the category. Raises InputFileError.
        """
        file = self.table(path)
        found = joined_chunks(file.records())
        if are_tasks(found):
            found, control = answered_tasks(path, found, control), None
        rows = in_our_words(path, without_rejected(found))
        present = names_in(rows)
        answer = control or ("answer" if "answer" in present else None)
        if answer is not None:
            require_columns(path, present, names_in(found), answer, elsewhere=file.elsewhere)
            rows = Chunk(({**row, "category": row.get(answer)} for row in rows), rows.numbers)
            present.append("category")
        if rows:
            require_columns(path, present, names_in(found), *columns, elsewhere=file.elsewhere)
        refuse_zeros(path, (row.get("id") for row in rows), "")
        for number, row in rows.numbered():
            refuse_ruined(path, number, row.get("id"), "")
            refuse_damaged(path, number, row)
        return with_whole_ids(rows)

    def texts_of(self, path: Path, columns: list[str] | None) -> list[str]:
        """The texts of a table that are not empty, each of all these columns. Raises InputFileError."""
        names, file = columns or ["text"], self.table(path)
        found = joined_chunks(file.records())
        records = found if columns else in_our_words(path, found)
        require_columns(path, names_in(records), names_in(found), *names, elsewhere=file.elsewhere)
        texts = (review.joined(cell(record, name) for name in names) for record in records)
        return [text for text in texts if text]


def with_whole_ids(rows: Chunk) -> Chunk:
    """The rows with 42 for an id, a number or an annotator 42.0."""
    fractions = {
        name
        for name in ("id", "annotator", "annotation_id", "audit")
        if are_fractions(row.get(name) for row in rows)
    }
    for row in rows:
        for name in fractions:
            row[name] = whole(row.get(name))
    return rows


def joined_chunks(chunks: Iterable[Chunk]) -> Chunk:
    """All rows as one."""
    whole = Chunk()
    for chunk in chunks:
        whole += chunk
        whole.numbers += chunk.numbers
    return whole


AS_FOUND: Final = TableOptions()


@dataclass(frozen=True)
class FileOptions(TableOptions):
    """A file of reviews, and how it is to be read."""

    file: FileArgument
    text_column: TextColumn = None
    id_column: Annotated[
        str | None, typer.Option(help="Column with the review's id. (default: id, else its row and text)")
    ] = None
    source_column: Annotated[
        str | None, typer.Option(help="Column with the review's source. (default: source)")
    ] = None
    created_column: Annotated[
        str | None, typer.Option(help="Column with the time of writing. (default: created_at)")
    ] = None
    source: Annotated[
        str | None, typer.Option("--source", help="Source of all rows. (default: the file's name)")
    ] = None
    without_ids: Annotated[
        bool, typer.Option("--without-ids", help="Call rows by number and text, whatever ids they have.")
    ] = False
    preset: Annotated[
        PresetName | None,
        typer.Option("--format", help="Find the columns by the names that a marketplace gives them."),
    ] = None

    def rows(self) -> ReviewRows:
        """The file's rows. Raises InputFileError."""
        columns = Columns(
            text=tuple(self.text_column or ()),
            id=self.id_column,
            created_at=self.created_column,
            source=self.source_column,
            without_ids=self.without_ids,
        )
        # A file's name without its endings, packed or not: both hold the same reviews.
        name = Path(self.file.name.removesuffix(".gz")).stem[:200] or self.file.name[:200]
        preset = None if self.preset is None else PRESETS[self.preset]
        return ReviewRows(self.table(self.file), columns, self.source or self.preset or name, preset)
