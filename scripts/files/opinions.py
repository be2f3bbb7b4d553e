"""Answers of people as rows of a file have them: who, when, which; and what the answers about one review come to."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from scripts.files.record import Record, cell
from scripts.files.times import moment
from shared.errors import InputFileError
from shared.quality.agreement import Opinion, agreed, newest

KeyT = TypeVar("KeyT", bound=Hashable)

TIMES = ("updated_at", "answered_at")
NUMBER = "annotation_id"
KINDS = ("choices", "taxonomy")
"""What Label Studio calls the answers of those of its controls that name categories."""
LEAVE = "leave the one that counts"


def answered_at(path: Path, row: int, value: Any) -> datetime | None:
    """A time of an answer, as files have them; without a zone it is UTC. Raises InputFileError."""
    at = moment(value)
    if at in ("", None):
        return None
    try:
        found = datetime.fromisoformat(str(at))
    except ValueError as error:
        raise InputFileError(
            f"{path}, row {row}: expected a time of the answer in ISO 8601, or as 28.11.2026 10:16, found {value!r}"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def opinion(
    path: Path, row: int, record: Record, categories: Sequence[str], ambiguous: bool = False
) -> Opinion:
    """What a row says beside its categories: columns annotator, updated_at, annotation_id. Raises InputFileError.

    `created_at` is a time of the answer in Label Studio's CSV only; elsewhere it is the review's.
    """
    number = cell(record, NUMBER)
    when = next((record[name] for name in TIMES if cell(record, name)), None)
    return Opinion(
        row=row,
        annotator=cell(record, "annotator").strip(),
        categories=tuple(categories),
        at=answered_at(path, row, when or (record.get("created_at") if number else None)),
        number=int(number) if number.isascii() and number.isdigit() else None,
        ambiguous=ambiguous,
    )


def choices(record: Record) -> list[str]:
    """The categories that a row names: none, one, or several as Label Studio writes them into CSV and JSON."""
    value = record.get("category")
    if isinstance(value, str) and value.startswith(("{", "[")):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    if isinstance(value, (dict, list)):
        return names_in_choice(value)
    said = cell({"category": value}, "category").strip()
    return [said] if said else []


def names_in_choice(value: Any) -> list[str]:
    """What is chosen, of choices or of a taxonomy: of a path through nested ones its end."""
    if isinstance(value, dict):
        known = next((value[kind] for kind in KINDS if kind in value), None)
        return [str(value)] if known is None else names_in_choice(known)
    names = []
    for one in value if isinstance(value, list) else [value]:
        names += (
            names_in_choice(one)
            if isinstance(one, dict)
            else [str(one[-1] if one and isinstance(one, list) else one)]
        )
    return names


def each_persons(path: Path, name: str, opinions: Sequence[Opinion]) -> list[Opinion]:
    """The answers about a review that count, one a person. Raises InputFileError where one of them cannot be found."""
    people: dict[str, list[Opinion]] = {}
    for one in opinions:
        people.setdefault(one.annotator, []).append(one)
    counting = []
    for who, theirs in people.items():
        last = newest(theirs)
        if last is None:
            by = f" by {who}" if who else ""
            raise InputFileError(
                f"{path}, row {theirs[-1].row}: expected one answer{by} about {name}, or times that tell the newest "
                f"(columns {', '.join(TIMES)} or {NUMBER}), found another answer in row {theirs[0].row} and no order; "
                f"{LEAVE}, or say in a column annotator who answered"
            )
        counting.append(last)
    return counting


def of_one_mind(
    path: Path, opinions: Mapping[KeyT, Sequence[Opinion]], names: Mapping[KeyT, str], remedy: str = LEAVE
) -> dict[KeyT, str]:
    """The category that all answers about each review name. Raises InputFileError where they differ."""
    found = {}
    for key, given in opinions.items():
        counting = each_persons(path, names[key], given)
        refuse_disagreement(path, names[key], counting, remedy)
        found[key] = counting[0].categories[0]
    return found


def refuse_disagreement(path: Path, name: str, counting: Sequence[Opinion], remedy: str) -> None:
    """Raises InputFileError where people differ about a review, or one of them names several categories."""
    if agreed([one.categories for one in counting]):
        return
    said = "; ".join(
        f"{' and '.join(one.categories)}{f' by {one.annotator}' if one.annotator else ''} "
        f"{f'in row {one.row}' if one.row else 'taken in before'}"
        for one in sorted(counting, key=lambda one: one.row)
    )
    raise InputFileError(f"{path}: expected one category for {name}, found {said}; {remedy}")
