"""Gold sets in files: reviews with the categories that people gave them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scripts.command.console import left_out, remark
from scripts.files.columns import names_in, require_columns
from scripts.files.opinions import LEAVE, choices, of_one_mind, opinion
from scripts.files.options import AS_FOUND, TableOptions
from scripts.files.record import Chunk, Record, cell
from scripts.language.language import grouped, translated
from shared.errors import InputFileError, TaxonomyError
from shared.quality.agreement import Opinion
from shared.taxonomy import Taxonomy

Key = tuple[str, str]

YES: Final = ("1", "1.0", "1,0", "true", "yes", "y", "да", "истина", "+")
NO: Final = ("", "0", "0.0", "0,0", "false", "no", "n", "нет", "ложь", "-")
"""What cells say, in small letters."""


ANOTHER_TEXT: Final = (
    "{}, row {}: expected one text for an id, found another one of {!r} in an earlier row; give each review an id of "
    "its own"
)


class GoldRow(msgspec.Struct, frozen=True):
    """A review and the category that people gave it, as a slug. `id` is empty where the file has none."""

    text: str
    category: str
    source: str
    ambiguous: bool
    id: str = ""


def read_gold(
    gold: Path,
    reviews: Path | None,
    taxonomy: Taxonomy,
    tables: TableOptions = AS_FOUND,
    wanted: Callable[[Record], bool] | None = None,
) -> list[GoldRow]:
    """Gold rows with their texts: from a column `text` in the gold file, or by id from the reviews file.

    The reviews file is `reviews.csv` beside the gold file unless another is named. A review that is there twice counts
    once, by the rule of `shared.quality.agreement`, and that is told. Rows that are not `wanted` are not looked at.
    Raises InputFileError, also where answers about a review differ.
    """
    records = _labelled(gold, tables, wanted)
    if records and "text" not in (present := names_in(records)):
        require_columns(gold, present, present, "id")
        path = reviews or gold.with_name("reviews.csv")
        if not path.is_file():
            raise InputFileError(
                f"{gold}: expected a column 'text' or a reviews file, found neither; name it with --reviews"
            )
        records = _with_texts(gold, records, path, tables)
    tell_empty_texts(gold, records)
    rows = [
        GoldRow(
            text=cell(record, "text"),
            category=category_in(gold, number, choices(record)[0], taxonomy),
            source=cell(record, "source") or "?",
            ambiguous=is_true(gold, number, record),
            id=cell(record, "id"),
        )
        for number, record in records.numbered()
    ]
    return _once(gold, records, rows, taxonomy)


def _labelled(path: Path, tables: TableOptions, wanted: Callable[[Record], bool] | None) -> Chunk:
    """The wanted rows of a file that have a category. Raises InputFileError where none has."""
    records = tables.records(path, "category")
    chosen = answered(path, records)
    if not chosen:
        raise InputFileError(
            f"{path}: expected a category in one row at least, found none; fill in that column"
        )
    if wanted is None:
        return chosen
    kept = chosen.where(wanted)
    if left := len(chosen) - len(kept):
        told = translated(
            "{number} of {all} rows of {file}: guesses, or labels of words themselves",
            number=grouped(left),
            all=grouped(len(records)),
            file=path.name,
        )
        remark(translated("left out"), told)
    return kept


def answered(path: Path, records: Chunk) -> Chunk:
    """The rows with a category; how many have none is told."""
    found = records.where(choices)
    if left := len(records) - len(found):
        told = translated(
            "{number} of {all} rows of {file}, which have no answer",
            number=grouped(left),
            all=grouped(len(records)),
            file=path.name,
        )
        remark(translated("left out"), told)
    return found


def tell_empty_texts(path: Path, records: Chunk) -> None:
    """Say how many rows have no text, which counts as an empty one. Raises InputFileError where none has one."""
    empty = sum(not cell(row, "text").strip() for row in records)
    if records and empty == len(records):
        raise InputFileError(
            f"{path}: expected a text in one row at least, found none; fill in the column text"
        )
    if empty:
        told = translated(
            "{number} of {all} rows of {file} have no text: it counts as empty",
            number=grouped(empty),
            all=grouped(len(records)),
            file=path.name,
        )
        remark(translated("note"), told)


def _with_texts(gold: Path, records: Chunk, path: Path, tables: TableOptions) -> Chunk:
    """Gold rows with the texts of reviews that have their ids. Raises InputFileError."""
    texts = by_id(path, tables.records(path, "id", "text"))
    missing, found = list[str](), Chunk()
    for number, record in records.numbered():
        source, name = cell(record, "source"), cell(record, "id")
        known = texts.get(name, {})
        if not known or (source and source not in known and "" not in known):
            missing.append(f"{source}/{name}" if source else name)
            continue
        if not source and len(known) > 1:
            raise InputFileError(
                f"{gold}, row {number}: expected one review with the id {name!r} in {path}, found one of each of "
                f"{', '.join(known)}; add a column source"
            )
        review = known.get(source) or known.get("") or next(iter(known.values()))
        found.add(number, {**review, **record})
    if missing:
        raise InputFileError(
            f"{gold}: expected every id in the reviews file, {len(missing)} are not there (first: {missing[0]})"
        )
    return found


def by_id(path: Path, records: Chunk) -> dict[str, dict[str, Record]]:
    """The rows by their ids, and of an id by their sources. Raises InputFileError where one review has two texts."""
    found: dict[str, dict[str, Record]] = {}
    for row, record in records.numbered():
        known = found.setdefault(cell(record, "id"), {}).setdefault(cell(record, "source"), record)
        if cell(known, "text") != cell(record, "text"):
            raise InputFileError(ANOTHER_TEXT.format(path, row, cell(record, "id")))
    return found


def _once(gold: Path, records: Chunk, rows: list[GoldRow], taxonomy: Taxonomy) -> list[GoldRow]:
    """Each review once: bounds on precision take every row for a review of its own. Raises InputFileError.

    It is ambiguous where anybody says so.
    """
    keys = [(row.source, row.id) if row.id else ("", one_line(row.text)) for row in rows]
    first, names, said = dict[Key, GoldRow](), dict[Key, str](), dict[Key, list[Opinion]]()
    for (number, record), key, row in zip(records.numbered(), keys, rows, strict=True):
        if one_line(first.setdefault(key, row).text) != one_line(row.text):
            raise InputFileError(ANOTHER_TEXT.format(gold, number, row.id))
        names.setdefault(key, f"the review {row.id}" if row.id else "this text")
        slugs = [category_in(gold, number, name, taxonomy) for name in choices(record)]
        said.setdefault(key, []).append(opinion(gold, number, record, slugs, row.ambiguous))
    remedy = f"{LEAVE}, or take them all in with `otzyv audit import --disagreements keep`, which settles what it can"
    settled = of_one_mind(gold, said, names, remedy)
    if len(first) < len(rows):
        left_out(
            "{number} row of {file} repeats a review of an earlier row",
            "{number} rows of {file} repeat a review of an earlier row",
            len(rows) - len(first),
            file=gold.name,
        )
    return [
        replace(row, category=settled[key], ambiguous=any(one.ambiguous for one in said[key]))
        for key, row in first.items()
    ]


def one_line(text: str) -> str:
    """The text without regard to its white space."""
    return " ".join(text.split())


def category_in(path: Path, row: int, name: str, taxonomy: Taxonomy) -> str:
    """The slug of a category that a row names. Raises InputFileError, naming the row."""
    try:
        return taxonomy.category(name).slug
    except TaxonomyError as error:
        raise InputFileError(f"{path}, row {row}: {error}") from error


def is_true(path: Path, row: int, record: Record) -> bool:
    """Whether the cell `ambiguous` says yes; nothing is no. Raises InputFileError for what is neither."""
    said = cell(record, "ambiguous").strip().casefold()
    if said not in (*YES, *NO):
        raise InputFileError(
            f"{path}, row {row}: expected 1 or 0, yes or no in the column ambiguous, found {said!r}"
        )
    return said in YES
