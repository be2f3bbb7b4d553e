"""Answers of people in a file: a table with a column `answer` or `category`, or Label Studio's JSON export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec

from scripts.files.gold_file import category_in, is_true
from scripts.files.input_file import read_records
from scripts.files.record import cell
from shared.errors import InputFileError
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


def read_answers(path: Path, taxonomy: Taxonomy, annotator: str) -> list[Given]:
    """The answers in a file; rows without one are left out. Raises InputFileError, naming the row."""
    rows = _label_studio(path) if path.suffix.lower() == ".json" else _table(path)
    given = [_given(path, number, row, taxonomy, annotator) for number, row in rows if row["answer"]]
    if not given:
        raise InputFileError(f"{path}: expected at least one answer, found none; fill in the column answer")
    return given


def _given(path: Path, number: int, row: dict[str, str], taxonomy: Taxonomy, annotator: str) -> Given:
    category = category_in(path, number, row["answer"], taxonomy)
    audit = row["audit"]
    if audit and not (audit.isascii() and audit.isdigit() and len(audit) < 10):
        raise InputFileError(
            f"{path}, row {number}: expected the number of an audit, found {audit!r}; leave it as drawn"
        )
    if not row["id"]:
        raise InputFileError(f"{path}, row {number}: expected an id, found none; leave that column as drawn")
    return Given(
        row=number,
        audit=int(audit) if audit else None,
        source=row["source"] or None,
        id=row["id"],
        category=category,
        annotator=row["annotator"] or annotator,
        ambiguous=is_true(row["ambiguous"]),
    )


def _table(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    records = read_records(path)
    if "id" not in records[0] or not {"answer", "category"} & set(records[0]):
        raise InputFileError(
            f"{path}: expected columns id and answer (or category), found {', '.join(map(repr, records[0]))}"
        )
    answer = "answer" if "answer" in records[0] else "category"
    for number, record in enumerate(records, 2):
        row = {name: cell(record, name) for name in ("audit", "source", "id", "annotator", "ambiguous")}
        yield number, {**row, "answer": cell(record, answer).strip()}


def _label_studio(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
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
            row = {name: data.get(name, "") for name in ("audit", "source", "id")} | {"ambiguous": ""}
            annotations = [a for a in task.get("annotations", []) if not a.get("was_cancelled")]
            for annotation in annotations:
                by = annotation.get("completed_by", "")
                who = str(by.get("email", by.get("id", "")) if isinstance(by, dict) else by)
                for result in annotation["result"]:
                    if choices := result["value"].get("choices", []):
                        yield number, {**row, "annotator": who, "answer": str(choices[0])}
        except (AttributeError, KeyError, TypeError) as error:
            raise InputFileError(
                f"{path}, task {number}: expected data and annotations as Label Studio exports them, found none or "
                f"others ({error!r}); export as JSON, not as JSON-MIN"
            ) from error
