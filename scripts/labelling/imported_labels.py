"""`otzyv labels import`: labels that another method gave to stored reviews, taken in under its name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from psycopg2.extensions import cursor as Cursor

from scripts.command.console import left_out, out
from scripts.command.database import opened
from scripts.files.gold_file import answered, category_in
from scripts.files.opinions import choices, of_one_mind, opinion
from scripts.files.options import TableOptions
from scripts.files.record import Chunk, Record, cell, only
from scripts.files.same_text import ComparedTexts
from scripts.language.language import counted, grouped, translated
from shared.catalogue import STAGES
from shared.errors import ConfigurationError, InputFileError
from shared.quality.agreement import Opinion
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store import audits, labels

CHUNK: Final = 10_000
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")

RESERVED: Final = (*STAGES, "human", "people", "accepted", "needs_review")
"""Names of stages and of states, which would be taken for them."""

Told = tuple[int, int, str, float]


class ImportedLabel(msgspec.Struct, frozen=True):
    """A row with the stored review that it is about."""

    review_id: int
    revision: int
    name: str
    said: Opinion
    confidence: float


def import_labels(
    path: Path, method: str, settings: Settings, store: Path | None, tables: TableOptions
) -> None:
    """Take in all labels of a file or none. They are accepted labels; those that people gave stay.

    Raises ConfigurationError for a name of a stage, InputFileError, naming the row.
    """
    if not _NAME.fullmatch(method) or method in RESERVED:
        raise ConfigurationError(
            f"--method: expected a name of small letters, digits, - and _ other than {', '.join(RESERVED)}, found "
            f"{method!r}"
        )
    records = answered(path, tables.records(path, "id", "category"))
    told = records.where(lambda record: cell(record, "status") != "needs_review")
    if len(told) < len(records):
        left_out(
            "{number} row of {file} with the status needs_review: a guess",
            "{number} rows of {file} with the status needs_review: guesses",
            len(records) - len(told),
            file=path.name,
        )
    if not told:
        raise InputFileError(f"{path}: expected at least one label, found none; fill in the column category")
    with opened(settings, store, "otzyv labels import") as here, here.database.transaction() as cursor:
        each = _each(path, list(_told(cursor, here, path, told)))
        before = labels.by_stage(cursor, list(each), here.taxonomy_id)
        labels.settle_from_outside(cursor, list(each.values()), here.taxonomy_id, method)
    tell_imported(method, len(each), before)


def tell_imported(method: str, reviews: int, before: dict[str, int]) -> None:
    """How many labels have been taken in, and how many labels of which stage there were before."""
    people = before.pop("human", 0)
    have = counted(
        "{number} review has a label by {method}",
        "{number} reviews have labels by {method}",
        reviews - people,
        method=method,
    )
    keep = counted("{number} keeps what people gave", "{number} keep what people gave", people)
    out.print(f"{have}; {keep}")
    if replaced := {stage: count for stage, count in before.items() if stage != method}:
        of_stages = (
            translated("{number} by {stage}", number=grouped(count), stage=stage)
            for stage, count in replaced.items()
        )
        out.print(translated("replaced: {labels}", labels=", ".join(of_stages)))


def _told(cursor: Cursor, here: Runtime, path: Path, records: Chunk) -> Iterator[ImportedLabel]:
    rows, texts = list(records.numbered()), ComparedTexts(path, masks=here.settings.mask_personal_data)
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        names = [(None, cell(record, "source") or None, cell(record, "id")) for _, record in some]
        for (row, record), reviews in zip(some, audits.find(cursor, names), strict=True):
            name = cell(record, "id")
            review = only(path, row, f"stored review with the id {name!r}", reviews)
            if not texts.is_of_now(row, record, review):
                continue
            slugs = [category_in(path, row, category, here.taxonomy) for category in choices(record)]
            said, sure = opinion(path, row, record, slugs), _confidence(path, row, record)
            yield ImportedLabel(review.review_id, review.revision, f"the review {name!r}", said, sure)
    texts.tell()
    if texts.replaced:
        left_out(
            "{number} row of {file} about a text that has been replaced since",
            "{number} rows of {file} about texts that have been replaced since",
            texts.replaced,
            file=path.name,
        )


def _each(path: Path, told: Sequence[ImportedLabel]) -> dict[int, Told]:
    """One label a review, by the rule of `shared.quality.agreement`; of several confidences in it the least."""
    rows: dict[int, list[ImportedLabel]] = {}
    for one in told:
        rows.setdefault(one.review_id, []).append(one)
    if len(rows) < len(told):
        left_out(
            "{number} row of {file} repeats a review of another row",
            "{number} rows of {file} repeat a review of another row",
            len(told) - len(rows),
            file=path.name,
        )
    opinions = {review_id: [one.said for one in each] for review_id, each in rows.items()}
    settled = of_one_mind(path, opinions, {review_id: each[0].name for review_id, each in rows.items()})
    return {
        review_id: (
            review_id,
            rows[review_id][0].revision,
            category,
            min(one.confidence for one in rows[review_id] if category in one.said.categories),
        )
        for review_id, category in settled.items()
    }


def _confidence(path: Path, row: int, record: Record) -> float:
    """1 where the file has none."""
    value = cell(record, "confidence")
    try:
        confidence = float(value.replace(",", ".") or 1.0)
    except ValueError:
        confidence = -1.0
    if not 0 <= confidence <= 1:
        raise InputFileError(f"{path}, row {row}: expected a confidence from 0 to 1, found {value!r}")
    return confidence
