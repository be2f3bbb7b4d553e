"""`otzyv labels import`: labels that another method gave to stored reviews, taken in under its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from psycopg2.extensions import cursor as Cursor

from scripts.command.console import out
from scripts.command.database import opened
from scripts.files.gold_file import category_in
from scripts.files.input_file import read_records
from scripts.files.record import Record, cell, only
from shared.catalogue import STAGES
from shared.errors import ConfigurationError, InputFileError
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store import audits, labels

CHUNK: Final = 10_000
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")

RESERVED: Final = (*STAGES, "human", "accepted", "needs_review")
"""Names of stages and of states, which would be taken for them."""

Told = tuple[int, int, str, float]


def import_labels(path: Path, method: str, settings: Settings, store: Path | None) -> None:
    """Take in all labels of a file or none. They are accepted labels; those that people gave stay.

    Raises ConfigurationError for a name of a stage, InputFileError, naming the row.
    """
    if not _NAME.fullmatch(method) or method in RESERVED:
        raise ConfigurationError(
            f"--method: expected a name of small letters, digits, - and _ other than {', '.join(RESERVED)}, found "
            f"{method!r}"
        )
    records = read_records(path, "id", "category")
    with opened(settings, store, "otzyv labels import") as here, here.database.transaction() as cursor:
        told = [
            row
            for start in range(0, len(records), CHUNK)
            for row in _told(cursor, here, path, records[start : start + CHUNK], start + 1)
        ]
        each: dict[int, Told] = {}
        for row, one in enumerate(told, 1):
            known = each.setdefault(one[0], one)
            if known[2] != one[2]:
                raise InputFileError(
                    f"{path}, row {row}: expected one category for a review, found {known[2]} before and {one[2]} here"
                )
        before = labels.by_stage(cursor, list(each), here.taxonomy_id)
        labels.settle_from_outside(cursor, list(each.values()), here.taxonomy_id, method)
    people = before.pop("human", 0)
    out.print(
        f"{len(each) - people:,} reviews have labels by {method}; {people:,} keep those that people gave"
    )
    if replaced := {stage: count for stage, count in before.items() if stage != method}:
        out.print("replaced: " + ", ".join(f"{count:,} by {stage}" for stage, count in replaced.items()))


def _told(cursor: Cursor, here: Runtime, path: Path, records: Sequence[Record], first: int) -> list[Told]:
    names = [(None, cell(record, "source") or None, cell(record, "id")) for record in records]
    told = []
    for row, (record, reviews) in enumerate(zip(records, audits.find(cursor, names), strict=True), first):
        review = only(path, row, f"stored review with the id {cell(record, 'id')!r}", reviews)
        category = category_in(path, row, cell(record, "category"), here.taxonomy)
        told.append((review.review_id, review.revision, category, _confidence(path, row, record)))
    return told


def _confidence(path: Path, row: int, record: Record) -> float:
    """1 where the file has none."""
    value = cell(record, "confidence")
    try:
        confidence = float(value or 1.0)
    except ValueError:
        confidence = -1.0
    if not 0 <= confidence <= 1:
        raise InputFileError(f"{path}, row {row}: expected a confidence from 0 to 1, found {value!r}")
    return confidence
