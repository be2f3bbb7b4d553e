"""Gold sets in files: reviews with the categories that people gave them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from scripts.command.console import remark
from scripts.files.input_file import read_records
from scripts.files.record import cell, require_columns
from shared.errors import InputFileError, TaxonomyError
from shared.taxonomy import Taxonomy


class GoldRow(msgspec.Struct, frozen=True):
    """A review and the category that people gave it, as a slug. `id` is empty where the file has none."""

    text: str
    category: str
    source: str
    ambiguous: bool
    id: str = ""


def read_gold(gold: Path, reviews: Path | None, taxonomy: Taxonomy) -> list[GoldRow]:
    """Gold rows with their texts: from a column `text` in the gold file, or by id from the reviews file.

    The reviews file is `reviews.csv` beside the gold file unless another is named. A review that is there twice counts
    once, and that is told. Raises InputFileError, also where two rows contradict each other.
    """
    records = read_records(gold, "category")
    if "text" not in records[0]:
        require_columns(gold, records, "id")
        path = reviews or gold.with_name("reviews.csv")
        if not path.is_file():
            raise InputFileError(
                f"{gold}: expected a column 'text' or a reviews file, found neither; name it with --reviews"
            )
        texts = {cell(record, "id"): record for record in read_records(path, "id", "text")}
        missing = [cell(record, "id") for record in records if cell(record, "id") not in texts]
        if missing:
            raise InputFileError(
                f"{gold}: expected every id in the reviews file, {len(missing)} are not there (first: {missing[0]})"
            )
        records = [{**texts[cell(record, "id")], **record} for record in records]
    rows = [
        GoldRow(
            text=cell(record, "text"),
            category=category_in(gold, number, cell(record, "category"), taxonomy),
            source=cell(record, "source") or "?",
            ambiguous=is_true(cell(record, "ambiguous")),
            id=cell(record, "id"),
        )
        for number, record in enumerate(records, 1)
    ]
    return _once(gold, rows)


def _once(gold: Path, rows: list[GoldRow]) -> list[GoldRow]:
    """Each review once: bounds on precision take every row for a review of its own."""
    first: dict[tuple[str, str], GoldRow] = {}
    for number, row in enumerate(rows, 1):
        known = first.setdefault((row.source, row.id) if row.id else ("", row.text), row)
        if known.category != row.category:
            name = f"the review {row.id}" if row.id else "this text"
            raise InputFileError(
                f"{gold}, row {number}: expected one category for {name}, found {known.category} in an earlier row "
                f"and {row.category} here"
            )
    if len(first) < len(rows):
        remark(
            "left out", f"{len(rows) - len(first):,} rows of {gold.name} repeat a review of an earlier row"
        )
    return list(first.values())


def category_in(path: Path, row: int, name: str, taxonomy: Taxonomy) -> str:
    """The slug of a category that a row names. Raises InputFileError, naming the row."""
    try:
        return taxonomy.category(name).slug
    except TaxonomyError as error:
        raise InputFileError(f"{path}, row {row}: {error}") from error


def is_true(text: str) -> bool:
    """Whether a cell says yes."""
    return text.lower() in ("1", "true", "yes")
