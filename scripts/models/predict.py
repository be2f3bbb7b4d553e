"""`otzyv predict`: a file's predictions by one model, on all cores, without a broker."""

from __future__ import annotations

import json
import os
import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import msgspec

from scripts.command.console import err, file_progress, out, remark
from scripts.command.database import opened
from scripts.files import row_writer, whole_file
from scripts.files.record import Record
from scripts.files.review_rows import ReviewRows
from scripts.models.registry import registry
from scripts.pages.tables import table
from shared.classifiers import Artefact, Classifier, Location
from shared.classifiers import manifest as manifests
from shared.errors import ModelError, ModelUnavailable
from shared.reviews.wire import decode, encode
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import aliases

_NAMES = ("category", "category_slug", "confidence", "truncated", "probabilities", "status", "reason")
COLUMNS: Final[dict[str, type]] = dict.fromkeys(_NAMES, str) | {"confidence": float, "truncated": bool}
CHUNK = 500
PREDICTED = "predicted"
NO_CHAMPION = (
    "otzyv predict: expected a champion for the taxonomy {}, found none; promote one with `otzyv models promote`, or "
    "name another model with --model"
)


class ModelHandle(msgspec.Struct, frozen=True):
    """Where a model lies, for other processes to load it from."""

    url: str
    path: str
    sha256: str

    def artefact(self) -> Artefact:
        """The model's files. Raises ModelError."""
        return Artefact(Location(self.url), self.path, self.sha256)


def predict(
    rows: ReviewRows,
    path: Path,
    model: str | None,
    processes: int | None,
    settings: Settings,
    store: Path | None = None,
) -> None:
    """Write every row of a file with its prediction, in order, and show how many there are of which category."""
    whole_file.check(path, None, rows.file.path)
    rows.check()
    taxonomy = runtime.load_taxonomy(settings)
    handle = _handle(model, settings, store)
    labels = handle.artefact().manifest.labels
    if sorted(labels) != sorted(taxonomy.slugs):
        raise ModelError(
            f"otzyv predict: expected a model for the categories of the taxonomy {taxonomy.name} "
            f"({', '.join(taxonomy.slugs)}), found one for {', '.join(labels)}"
        )
    handle.artefact().classifier()  # says what is wrong with it here, and not in another process
    with err.status("reading the file"):
        total = sum(len(records) for records, _ in rows.chunks())
    count = min(processes or len(os.sched_getaffinity(0)), max(1, total // CHUNK))
    began = time.monotonic()
    titles = {category.slug: category.title for category in taxonomy.categories}
    counts = _write(rows, path, handle, titles, count, settings.max_text_chars)
    seconds = time.monotonic() - began
    titles |= {row_writer.REJECTED: row_writer.REJECTED} if counts[row_writer.REJECTED] else {}
    shown = sorted(titles, key=lambda slug: (slug == row_writer.REJECTED, -counts[slug]))
    out.print(table(("category", "reviews"), [(titles[slug], f"{counts[slug]:,}") for slug in shown]))
    out.print(f"{total:,} rows in {seconds:.1f} s, {total / seconds:,.0f} reviews/s; processes: {count}")
    if cut := counts["truncated"]:
        remark("note", f"{cut:,} texts were longer than the model reads; see the column truncated")


def _handle(model: str | None, settings: Settings, store: Path | None) -> ModelHandle:
    """A folder of that name, else the registered model of that number; the champion where none is named."""
    if model is None or (model.isdigit() and not Path(model).is_dir()):
        with opened(settings, store, "otzyv predict") as here:
            if model is None:
                name = here.taxonomy.name
                with here.database.transaction() as cursor:
                    model = str(aliases.champion(cursor, name, NO_CHAMPION.format(name)))
            found = registry(here).get(int(model))
            here.database.close()
        return ModelHandle(settings.models, found.path, found.sha256)
    folder = Path(model).resolve()
    if (folder / "config.json").exists() and not (folder / manifests.NAME).exists():
        raise ModelError(
            f"{model}: expected a folder of `otzyv models export`, found one that transformers has saved; "
            "`otzyv models import` it, and name its number"
        )
    location = str(folder.parent)
    return ModelHandle(location, folder.name, Artefact(Location(location), folder.name).sha256)


def _write(
    rows: ReviewRows,
    path: Path,
    handle: ModelHandle,
    titles: dict[str, str],
    processes: int,
    max_text_chars: int,
) -> Counter[str]:
    """Write the file; returns how many rows there are of each category, and how many were rejected or truncated."""
    counts: Counter[str] = Counter()
    with (
        row_writer.beside(path, rows, COLUMNS) as write_rows,
        file_progress() as progress,
        ProcessPoolExecutor(processes, get_context("spawn"), _load, (handle,)) as pool,
    ):
        task = progress.add_task(rows.file.name, total=1.0, reviews=0)
        for records, answers in _answered(pool, rows, max_text_chars, ahead=2 * processes):
            write_rows(records, (dict(zip(COLUMNS, _cells(one, titles), strict=True)) for one in answers))
            counts.update(row_writer.REJECTED if isinstance(one, str) else one.slug for one in answers)
            counts["truncated"] += sum(not isinstance(one, str) and one.truncated for one in answers)
            progress.update(
                task, completed=rows.file.fraction_read, reviews=counts.total() - counts["truncated"]
            )
        progress.update(task, completed=1.0)
    return counts


class PredictedText(msgspec.Struct, frozen=True):
    """What the model says about one text."""

    slug: str
    confidence: float
    truncated: bool
    probabilities: dict[str, float]


def _answered(
    pool: Executor, rows: ReviewRows, max_text_chars: int, ahead: int
) -> Iterator[tuple[list[Record], list[PredictedText | str]]]:
    """Parts of the file in order: its rows, and for each an answer, or why it was rejected."""
    pending: deque[tuple[list[Record], list[str | None], Future[list[PredictedText]]]] = deque()
    for records, wire in rows.chunks():
        for start in range(0, len(records), CHUNK):
            texts, reasons = list[str](), list[str | None]()
            for row in wire[start : start + CHUNK]:
                message = decode(encode([row]), max_text_chars=max_text_chars)
                reasons.append(message.rejected[0].reason if message.rejected else None)
                texts += [review.text for review in message.reviews]
            pending.append((records[start : start + CHUNK], reasons, pool.submit(_answers, texts)))
            if len(pending) > ahead:
                yield _placed(*pending.popleft())
    while pending:
        yield _placed(*pending.popleft())


def _placed(
    records: list[Record], reasons: list[str | None], answers: Future[list[PredictedText]]
) -> tuple[list[Record], list[PredictedText | str]]:
    try:
        found = iter(answers.result())
    except BrokenProcessPool as error:
        raise ModelUnavailable(
            "otzyv predict: expected its processes to live, found one killed; was there too little memory? Use fewer "
            "with OTZYV_WORKER_PROCESSES"
        ) from error
    return records, [reason or next(found) for reason in reasons]


_classifier: Classifier | None = None
"""The model of a process of the pool."""


def _load(handle: ModelHandle) -> None:
    global _classifier
    _classifier = handle.artefact().classifier()


def _answers(texts: list[str]) -> list[PredictedText]:
    assert _classifier is not None  # noqa: S101  the pool's initializer has set it
    shares, truncated = _classifier.predict(texts)
    labels = _classifier.labels
    return [
        PredictedText(
            labels[int(row.argmax())],
            float(row.max()),
            bool(cut),
            {label: round(float(share), 4) for label, share in zip(labels, row, strict=True)},
        )
        for row, cut in zip(shares, truncated, strict=True)
    ]


def _cells(answer: PredictedText | str, titles: dict[str, str]) -> tuple[object, ...]:
    """What stands in COLUMNS."""
    if isinstance(answer, str):
        return (None, None, None, None, None, row_writer.REJECTED, answer)
    shares = json.dumps(answer.probabilities, ensure_ascii=False)
    confidence = round(answer.confidence, 4)
    return (titles[answer.slug], answer.slug, confidence, answer.truncated, shares, PREDICTED, None)
