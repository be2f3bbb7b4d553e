"""What columns of gold, answers and labels are called: our names, and those that people and their tools give them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from scripts.command.console import left_out, remark
from scripts.files.record import Chunk, Record
from scripts.language.language import translated
from shared.errors import InputFileError

OTHER_NAMES: Final = {
    "id": ("id отзыва", "идентификатор отзыва", "номер отзыва", "input:id"),
    "text": ("текст", "отзыв", "текст отзыва", "input:text"),
    "category": ("категория", "output:category"),
    "answer": ("ответ", "output:answer"),
    "source": ("источник", "input:source"),
    "audit": ("input:audit",),
    "annotator": (
        "разметчик",
        "асессор",
        "ассессор",
        "annotator_id",
        "worker",
        "worker_id",
        "assignment:worker_id",
    ),
    "ambiguous": (),
    "status": (),
    "stage": (),
    "confidence": (),
    "updated_at": ("assignment:submitted",),
    "answered_at": (),
    "created_at": (),
    "annotation_id": (),
}
"""Our names, and for each the others, the likeliest first. Those with a colon are of Toloka."""


def plain(name: str) -> str:
    """A name without regard to case, line breaks and spaces around."""
    return " ".join(name.split()).casefold()


def names_in(records: Iterable[Record]) -> list[str]:
    """Every column that any of the rows has, in their order: objects of JSON need not have all of them."""
    return list(dict.fromkeys(name for record in records for name in record))


def in_our_words(path: Path, rows: Chunk) -> Chunk:
    """The rows with the names that we give columns, where they have others for the same; that is told.

    Raises InputFileError where two columns differ in case only, and none is called exactly so.
    """
    present = names_in(rows)
    alike: dict[str, list[str]] = {}
    for name in present:
        alike.setdefault(plain(name), []).append(name)
    renamed: dict[str, str] = {}
    for ours, others in OTHER_NAMES.items():
        found = next((alike[name] for name in (ours, *others) if name in alike), [])
        if ours in present or not found:
            continue
        if len(found) > 1:
            raise InputFileError(
                f"{path}: expected one column {ours!r}, found {', '.join(map(repr, found))}; rename the others"
            )
        renamed[found[0]] = ours
    if not renamed:
        return rows
    told = (
        translated("{field} from {columns}", field=ours, columns=repr(name)) for name, ours in renamed.items()
    )
    remark(translated("columns"), "; ".join(told))
    named = [{renamed.get(name, name): value for name, value in record.items()} for record in rows]
    return Chunk(named, rows.numbers)


def without_rejected(rows: Chunk) -> Chunk:
    """The rows without those whose answers Toloka says were rejected; how many there are is told."""
    columns = [name for name in names_in(rows) if plain(name) == "assignment:status"]
    found = rows.where(lambda row: not any(str(row.get(name)).upper() == "REJECTED" for name in columns))
    if left := len(rows) - len(found):
        left_out(
            "{number} row whose answer was rejected (ASSIGNMENT:status)",
            "{number} rows whose answers were rejected (ASSIGNMENT:status)",
            left,
        )
    return found


def require_columns(
    path: Path, present: Collection[str], found: Iterable[str], *columns: str, elsewhere: str = ""
) -> None:
    """Raises InputFileError unless the columns are among those present; `found` is what the file calls these."""
    for column in columns:
        if column not in present:
            remedy = "rename one"
            if not path.name.lower().removesuffix(".gz").endswith((".json", ".jsonl", ".ndjson", ".parquet")):
                remedy += ", or name with --header the line or row in which the names stand"
            raise InputFileError(
                f"{path}: expected a column {column!r}, found {', '.join(map(repr, found))}; {remedy}{elsewhere}"
            )
