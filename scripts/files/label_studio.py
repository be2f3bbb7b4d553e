"""Label Studio's JSON export as rows: every annotation that was not skipped, with what one control of choices,
or of a taxonomy, says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from scripts.command.console import remark
from scripts.files.columns import OTHER_NAMES, plain
from scripts.files.opinions import KINDS, names_in_choice
from scripts.files.record import Chunk, Record
from scripts.files.same_text import TASK
from scripts.language.language import counted, translated
from shared.errors import InputFileError

OURS = "category"
"""The control in the labelling interface that `otzyv audit draw` writes."""

_TASKS: Final = ("annotations", "completions", "predictions")
"""What the tasks of an export have beside their data; `completions` were annotations before 2021."""

LOOKED_AT: Final = 100
"""Rows: a task may come without annotations."""
REVIEW: Final = ("audit", "source", "id", "text")
"""What the data of a task say of its review."""
LEFT_OUT: Final[Mapping[str, Callable[[int, str], str]]] = {
    "unanswered": lambda count, _: counted(
        "{number} task that nobody has answered", "{number} tasks that nobody has answered", count
    ),
    "skipped": lambda count, _: counted(
        "{number} annotation that was skipped", "{number} annotations that were skipped", count
    ),
    "unchosen": lambda count, control: counted(
        "{number} annotation without a choice of the control {control}",
        "{number} annotations without a choice of the control {control}",
        count,
        control=control,
    ),
}
"""What is told of so many that are left out for a reason."""

Found = tuple[int, Record, dict[str, list[str]]]


def are_tasks(rows: Sequence[Record]) -> bool:
    """Whether a JSON file holds tasks and not rows."""
    return any("data" in row and any(name in row for name in _TASKS) for row in rows[:LOOKED_AT])


def answered_tasks(path: Path, tasks: Chunk, control: str | None) -> Chunk:
    """Each annotation as a row of Label Studio's CSV would be, with the number of its task.

    The answer is that of `control`, by default of `category`, or of the only control of choices that there is; it is in
    the column `category`. What has no answer is left out, and told. Raises InputFileError.
    """
    without = Counter[str]()
    found = [one for number, task in tasks.numbered() for one in _of_task(path, number, task, without)]
    names = sorted({name for _, _, results in found for name in results})
    wanted = control or (OURS if OURS in names else names[0] if len(names) == 1 else None)
    if names and wanted not in names:
        raise InputFileError(
            f"{path}: expected answers of {f'the control {control}' if control else 'one control'}, found "
            f"{', '.join(names)}; name one with `otzyv audit import --control`"
        )
    if wanted not in (OURS, control, None):
        remark(translated("columns"), translated("category from the control {control}", control=repr(wanted)))
    rows = Chunk()
    for number, row, results in found:
        if wanted in results:
            rows.add(number, {**row, OURS: {"choices": results[wanted]}})
        else:
            without["unchosen"] += 1
    if without:
        told = (LEFT_OUT[why](count, wanted or OURS) for why, count in without.items())
        remark(translated("left out"), ", ".join(told))
    return rows


def _of_task(path: Path, number: int, task: Record, without: Counter[str]) -> Iterator[Found]:
    """Each annotation in the columns of Label Studio's CSV, and what each control of choices says, by its name."""
    try:
        data = dict(task["data"])
        named = {name: called for name in REVIEW if (called := name_among(data, name)) is not None}
        given = task.get("annotations") or task.get("completions") or []
        if not given:
            without["unanswered"] += 1
        for one in given:
            if one.get("was_cancelled"):
                without["skipped"] += 1
                continue
            by = one.get("completed_by", "")
            row: Record = {name: data[called] for name, called in named.items()}
            row |= {name: one.get(name) for name in ("updated_at", "created_at")}
            row["annotator"] = by.get("email", by.get("id", "")) if isinstance(by, dict) else by
            yield number, row | {"annotation_id": one.get("id"), TASK: number}, _choices(one["result"] or [])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputFileError(
            f"{path}, task {number}: expected data and annotations as Label Studio exports them, found none or "
            f"others ({error!r}); export as JSON"
        ) from error


def name_among(data: Mapping[str, Any], ours: str) -> str | None:
    """What a field of ours is called among the data of a task: so, or in another case, or by another of its names."""
    if ours in data:
        return ours
    alike = {plain(name): name for name in data}
    return next((alike[name] for name in (ours, *OTHER_NAMES[ours]) if name in alike), None)


def _choices(results: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    for result in results:
        value = result.get("value", {})  # a relation of two others has none
        if any(value.get(kind) for kind in KINDS):
            said.setdefault(str(result.get("from_name", OURS)), []).extend(names_in_choice(value))
    return said
