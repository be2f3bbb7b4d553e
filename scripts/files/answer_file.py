"""Answers of people in a file: a table with a column `answer` or `category`, or an export of Label Studio."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from scripts.command.console import remark
from scripts.files.gold_file import answered, category_in, is_true
from scripts.files.opinions import choices, opinion
from scripts.files.options import AS_FOUND, TableOptions
from scripts.files.record import Record, cell
from scripts.language.language import counted, translated
from shared.errors import InputFileError
from shared.quality.agreement import Opinion
from shared.taxonomy import Taxonomy

STAGES_SAID: Final = ("accepted", "needs_review")


class Given(msgspec.Struct, frozen=True):
    """One answer. `audit` is None for a review that no audit drew, `source` where the file has none."""

    audit: int | None
    source: str | None
    id: str
    row: Record
    opinion: Opinion

    @property
    def name(self) -> str:
        """The review's name as the file has it."""
        return f"{self.source}/{self.id}" if self.source else self.id


def read_answers(
    path: Path,
    taxonomy: Taxonomy,
    annotator: str,
    control: str | None = None,
    tables: TableOptions = AS_FOUND,
) -> list[Given]:
    """The answers in a file; how many rows have none is told. Raises InputFileError, naming the row."""
    rows = answered(path, tables.records(path, "id", "category", control=control))
    if not rows:
        raise InputFileError(f"{path}: expected at least one answer, found none; fill in the column answer")
    if labelled := sum(cell(row, "status") in STAGES_SAID for row in rows if "category_slug" in row):
        told = counted(
            "{number} row has a label of a stage (column status); it counts as people's answer now",
            "{number} rows have labels of stages (column status); they count as people's answers now",
            labelled,
        )
        remark(translated("note"), told)
    return [_given(path, number, row, taxonomy, annotator) for number, row in rows.numbered()]


def _given(path: Path, number: int, row: Record, taxonomy: Taxonomy, annotator: str) -> Given:
    categories = dict.fromkeys(category_in(path, number, name, taxonomy) for name in choices(row))
    audit = cell(row, "audit")
    if audit and not (audit.isascii() and audit.isdigit() and len(audit) < 10):
        raise InputFileError(
            f"{path}, row {number}: expected the number of an audit, found {audit!r}; leave it as drawn"
        )
    if not cell(row, "id"):
        raise InputFileError(f"{path}, row {number}: expected an id, found none; leave that column as drawn")
    by = {**row, "annotator": cell(row, "annotator") or annotator}
    return Given(
        audit=int(audit) if audit else None,
        source=cell(row, "source") or None,
        id=cell(row, "id"),
        row=row,
        opinion=opinion(path, number, by, [*categories], is_true(path, number, row)),
    )
