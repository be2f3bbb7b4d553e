"""A file of labels, such as `otzyv label` writes or another annotator gave, read for a comparison with gold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scripts.files.gold_file import GoldRow, category_in
from scripts.files.input_file import read_records
from scripts.files.record import cell, require_columns
from shared.taxonomy import Taxonomy

Slugs = list[str | None]


def read_labels(path: Path, gold: Sequence[GoldRow], taxonomy: Taxonomy) -> tuple[Slugs, Slugs, int]:
    """For the gold rows, in their order: kept labels, labels with guesses, and how many rows the file lacks.

    They are found by id, or by text where one of the files has no ids. A row with the status `needs_review` is a guess
    and not accepted. Raises InputFileError.
    """
    records = read_records(path, "category")
    by_id = "id" in records[0] and all(row.id for row in gold)
    name = "id" if by_id else "text"
    require_columns(path, records, name)
    found = {cell(record, name): (number, record) for number, record in enumerate(records, 2)}
    rows = [found.get(getattr(row, name)) for row in gold]
    final = [
        category_in(path, row[0], category, taxonomy)
        if row and (category := cell(row[1], "category"))
        else None
        for row in rows
    ]
    accepted = [
        None if row is None or cell(row[1], "status") == "needs_review" else slug
        for row, slug in zip(rows, final, strict=True)
    ]
    return accepted, final, rows.count(None)
