"""The file that `otzyv label` writes: every row of the input, in order, with its label.

Which label a row gets is decided here; how a CSV, JSON lines or Parquet file is put together, in `row_writer`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from scripts.command.progress import file_progress
from scripts.files import row_writer
from scripts.files.record import Record
from scripts.files.review_rows import ReviewRows
from scripts.files.whole_file import OutFile
from scripts.language.language import translated
from shared.reviews import review, wire
from shared.runtime.runtime import Runtime
from shared.store.reports import export
from shared.store.reports.export import Labelled
from shared.text.masking import mask

_NAMES = ("category", "category_slug", "confidence", "stage", "status", "evidence", "reason")
COLUMNS: Final[dict[str, type]] = dict.fromkeys(_NAMES, str) | {"confidence": float}

REPLACED = "replaced"


def write(out: OutFile, rows: ReviewRows, here: Runtime) -> None:
    """Read the input once more and write each of its rows with what the store knows about it.

    A row that broke the wire contract has the status `rejected` and a reason; a row whose
    text was replaced by a later row with the same id has the status `replaced`. Where personal data is masked,
    texts are written as they were judged; other columns stay as they are.
    """
    with row_writer.beside(out, rows, COLUMNS) as write_rows, file_progress() as progress:
        task = progress.add_task(translated("writing {file}", file=out.path.name), total=1.0, reviews=0)
        written = 0
        for records, wire in rows.chunks():
            written += len(records)
            if here.settings.mask_personal_data:
                records = [_masked(record, rows.columns.text) for record in records]
            write_rows(records, _labels(wire, here))
            progress.update(task, completed=rows.file.fraction_read, reviews=written)
        progress.update(task, completed=1.0)


def _masked(record: Record, columns: Sequence[str]) -> Record:
    texts = {column: record.get(column) for column in columns}
    return {
        **record,
        **{column: mask(text) for column, text in texts.items() if isinstance(text, str)},
        **{column: mask(text.decode()).encode() for column, text in texts.items() if isinstance(text, bytes)},
    }


def _labels(wire: Sequence[Record], here: Runtime) -> Iterator[Record]:
    keys = [(row["source"], row["id"]) for row in wire]
    with here.database.transaction() as cursor:
        stored = export.by_names(cursor, [key for key in keys if _can_be_stored(*key)], here.taxonomy_id)
    for row, key in zip(wire, keys, strict=True):
        yield _label(row, stored.get(key) if _can_be_stored(*key) else None, here)


def _can_be_stored(*names: object) -> bool:
    return all(isinstance(name, str) and "\x00" not in name for name in names)


def _stored_sha(text: str, here: Runtime) -> str:
    clean = review.clean(text)
    return review.text_sha(mask(clean) if here.settings.mask_personal_data else clean)


def _label(row: Record, found: Labelled | None, here: Runtime) -> Record:
    category = slug = confidence = stage = evidence = reason = None
    if found and isinstance(row["text"], str) and found.text_sha == _stored_sha(row["text"], here):
        slug, confidence, stage, status = found.category, found.confidence, found.stage, found.status
        category = here.taxonomy.category(slug).title if slug else None
        evidence = msgspec.json.encode(found.evidence).decode() if found.evidence else None
    else:
        message = wire.decode(wire.encode([row]), max_text_chars=here.settings.max_text_chars)
        status = row_writer.REJECTED if message.rejected else REPLACED
        reason = message.rejected[0].reason if message.rejected else "a later row has the same id"
    rounded = None if confidence is None else round(confidence, 4)
    return dict(zip(COLUMNS, (category, slug, rounded, stage, status, evidence, reason), strict=True))
