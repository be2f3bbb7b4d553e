"""Answers of people in a file: a table with a column `answer` or `category`, or Label Studio's JSON export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from scripts.files.gold_file import cell, read_records
from shared.errors import InputFileError, TaxonomyError
from shared.taxonomy import Taxonomy


class Given(msgspec.Struct, frozen=True):
    """One answer. `audit` is None for a review that no audit drew, `source` where the file has none."""

    row: int
    audit: int | None
    source: str | None
    id: str
    category: str
    annotator: str
    ambiguous: bool = False


class _AnswerRow(msgspec.Struct, frozen=True):
    number: int
    audit: str
    source: str
    id: str
    answer: str
    annotator: str
    ambiguous: str


def read_answers(path: Path, taxonomy: Taxonomy, annotator: str) -> list[Given]:
    """The answers in a file; rows without one are left out. Raises InputFileError, naming the row."""
    rows = _label_studio(path) if path.suffix.lower() == ".json" else _table(path)
    given = [_given(path, row, taxonomy, annotator) for row in rows if row.answer]
    if not given:
        raise InputFileError(f"{path}: expected at least one answer, found none; fill in the column answer")
    return given


def _given(path: Path, row: _AnswerRow, taxonomy: Taxonomy, annotator: str) -> Given:
    try:
        category = taxonomy.category(row.answer)
    except TaxonomyError as error:
        raise InputFileError(f"{path}, row {row.number}: {error}") from error
    if row.audit and not (row.audit.isascii() and row.audit.isdigit() and len(row.audit) < 10):
        raise InputFileError(
            f"{path}, row {row.number}: expected the number of an audit, found {row.audit!r}; leave it as drawn"
        )
    if not row.id:
        raise InputFileError(
            f"{path}, row {row.number}: expected an id, found none; leave that column as drawn"
        )
    return Given(
        row.number,
        int(row.audit) if row.audit else None,
        row.source or None,
        row.id,
        category.slug,
        row.annotator or annotator,
        row.ambiguous.lower() in ("1", "true", "yes"),
    )


def _table(path: Path) -> Iterator[_AnswerRow]:
    records = read_records(path)
    if "id" not in records[0] or not {"answer", "category"} & set(records[0]):
        raise InputFileError(
            f"{path}: expected columns id and answer (or category), found {', '.join(map(repr, records[0]))}"
        )
    column = "answer" if "answer" in records[0] else "category"
    for number, record in enumerate(records, 2):
        yield _AnswerRow(
            number,
            cell(record, "audit"),
            cell(record, "source"),
            cell(record, "id"),
            cell(record, column).strip(),
            cell(record, "annotator"),
            cell(record, "ambiguous"),
        )


def _label_studio(path: Path) -> Iterator[_AnswerRow]:
    """Tasks of an export; of a task annotated more than once, every annotation that was not cancelled."""
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputFileError(f"{path}: expected Label Studio's JSON export, found: {error}") from error
    if not isinstance(tasks, list):
        raise InputFileError(
            f"{path}: expected Label Studio's JSON export, a list of tasks, found something else"
        )
    for number, task in enumerate(tasks, 1):
        try:
            data = {name: str(value) for name, value in task["data"].items()}
            annotations = [a for a in task.get("annotations", []) if not a.get("was_cancelled")]
            for annotation in annotations:
                for choice in _choices(annotation):
                    names = (data.get("audit", ""), data.get("source", ""), data.get("id", ""))
                    yield _AnswerRow(number, *names, choice, _who(annotation), "")
        except (AttributeError, KeyError, TypeError) as error:
            raise InputFileError(
                f"{path}, task {number}: expected data and annotations as Label Studio exports them, found none or "
                f"others ({error!r}); export as JSON, not as JSON-MIN"
            ) from error


def _choices(annotation: dict[str, Any]) -> Iterator[str]:
    for result in annotation["result"]:
        choices = result["value"].get("choices", [])
        if choices:
            yield str(choices[0])


def _who(annotation: dict[str, Any]) -> str:
    by = annotation.get("completed_by", "")
    return str(by.get("email", by.get("id", ""))) if isinstance(by, dict) else str(by)
