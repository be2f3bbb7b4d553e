"""A file of labels, such as `otzyv label` writes or another annotator gave, read for a comparison with gold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from scripts.files.gold_file import GoldRow, category_in, cell, read_records, require_column
from shared.taxonomy import Taxonomy


class Labels(msgspec.Struct, frozen=True):
    """Slugs for the gold rows, in their order: kept labels, labels with guesses, and how many rows have neither row."""

    accepted: list[str | None]
    final: list[str | None]
    missing: int


def read_labels(path: Path, gold: Sequence[GoldRow], taxonomy: Taxonomy) -> Labels:
    """The labels of the gold reviews, found by id, or by text where one of the files has no ids.

    A row with the status `needs_review` is a guess and not accepted. Raises InputFileError.
    """
    records = read_records(path)
    require_column(path, records, "category")
    by_id = "id" in records[0] and all(row.id for row in gold)
    if not by_id:
        require_column(path, records, "text")
    found = {
        cell(record, "id" if by_id else "text"): (number, record) for number, record in enumerate(records, 2)
    }
    rows = [found.get(row.id if by_id else row.text) for row in gold]
    final = [
        category_in(path, row[0], cell(row[1], "category"), taxonomy)
        if row and cell(row[1], "category")
        else None
        for row in rows
    ]
    accepted = [
        None if row is None or cell(row[1], "status") == "needs_review" else slug
        for row, slug in zip(rows, final, strict=True)
    ]
    return Labels(accepted, final, rows.count(None))
