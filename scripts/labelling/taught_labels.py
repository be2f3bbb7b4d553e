"""Labels in a file from which entries of a taxonomy are learned, without those that would teach in a circle."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from scripts.command.console import left_out
from scripts.files.gold_file import GoldRow, read_gold
from scripts.files.options import TableOptions
from scripts.files.record import Record, cell
from shared.errors import InputFileError
from shared.store.labels import CIRCULAR
from shared.taxonomy import Taxonomy
from shared.training.data import normalised


def read_taught(
    path: Path, reviews: Path | None, without: Path | None, taxonomy: Taxonomy, tables: TableOptions
) -> list[GoldRow]:
    """Rows of a file of labels with their texts, none of them in the gold set `without`, by id or by a text
    that is alike.

    Guesses and labels of the keyword stage, as `otzyv label` writes them, are left out. Raises InputFileError, also
    where nothing is left.
    """
    rows = read_gold(path, reviews, taxonomy, tables, teaches)
    if without is not None:
        records = tables.records(without)
        names = {name: {cell(record, name) for record in records} - {""} for name in ("id", "text")}
        if not any(names.values()):
            raise InputFileError(
                f"{without}: expected a column 'id' or 'text', found neither; name a gold set"
            )
        gold = {row.text for row in rows if row.id in names["id"]} | names["text"]
        if names["id"]:
            # Where there is no file with the texts, ids alone have to do.
            with suppress(InputFileError):
                gold |= {row.text for row in read_gold(without, reviews, taxonomy, tables)}
        texts = {*normalised(gold)}
        alike = [text in texts for text in normalised(row.text for row in rows)]
        rest = [
            row for row, known in zip(rows, alike, strict=True) if row.id not in names["id"] and not known
        ]
        left_out(
            "{number} label of a review that {file} measures with",
            "{number} labels of reviews that {file} measures with",
            len(rows) - len(rest),
            file=without.name,
        )
        rows = rest
    if not rows:
        raise InputFileError(
            f"{path}: expected labels to learn from, found none that people or other stages gave; name another file"
        )
    return rows


def teaches(record: Record) -> bool:
    """Whether a row's label may teach."""
    return bool(
        cell(record, "category")
        and cell(record, "status") != "needs_review"
        and cell(record, "stage") not in CIRCULAR
    )
