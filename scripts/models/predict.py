"""`otzyv predict`: a file's predictions by one model, on all cores, without a broker."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Final

import msgspec

from scripts.command.console import out, remark
from scripts.command.database import opened
from scripts.command.ending import heard_later
from scripts.command.progress import file_progress, phase
from scripts.files import row_writer, whole_file
from scripts.files.record import Record
from scripts.files.review_rows import ReviewRows
from scripts.files.whole_file import OutFile
from scripts.labelling.unfinished import UnfinishedRun, identity, unfinished
from scripts.language.language import counted, grouped, translated
from scripts.models.kept_answers import PartAnswers, PredictedText, kept_answers
from scripts.models.registry import registry
from scripts.pages import figures
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
ORPHANED: Final = 72
"""Exit status of a process whose parent is gone, as of one that trains."""
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
    predictions: OutFile,
    model: str | None,
    processes: int | None,
    settings: Settings,
    store: Path | None = None,
) -> None:
    """Write every row of a file with its prediction, in order, and show how many there are of which category."""
    whole_file.check(predictions.path, None, rows.file.path)
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
    with phase(translated("reading the file")):
        total = sum(len(records) for records, _ in rows.chunks())
    count = min(processes or len(os.sched_getaffinity(0)), max(1, total // CHUNK))
    began = time.monotonic()
    titles = {category.slug: category.title for category in taxonomy.categories}
    with unfinished(predictions.path, None, identity(rows, settings, handle.sha256)) as run:
        if run.done.rows:
            run.tell_earlier()
        counts = _write(rows, predictions, handle, titles, count, settings.max_text_chars, run)
    seconds = time.monotonic() - began
    tell_counts(counts, titles, total, seconds, count)


def tell_counts(
    counts: Counter[str], titles: dict[str, str], total: int, seconds: float, processes: int
) -> None:
    """How many rows of which category, and how long it took."""
    titles |= {row_writer.REJECTED: row_writer.REJECTED} if counts[row_writer.REJECTED] else {}
    shown = sorted(titles, key=lambda slug: (slug == row_writer.REJECTED, -counts[slug]))
    heads = (translated("category"), translated("reviews"))
    out.print(table(heads, [(titles[slug], grouped(counts[slug])) for slug in shown]))
    told = counted("{number} row in {time}", "{number} rows in {time}", total, time=figures.duration(seconds))
    rate = translated("{rate} reviews/s", rate=figures.rate(total / seconds))
    out.print(f"{told}, {rate}; {translated('processes: {number}', number=processes)}")
    if cut := counts["truncated"]:
        told = counted(
            "{number} text was longer than the model reads; see the column truncated",
            "{number} texts were longer than the model reads; see the column truncated",
            cut,
        )
        remark(translated("note"), told)


def _handle(model: str | None, settings: Settings, store: Path | None) -> ModelHandle:
    """A folder of that name, else the registered model of that number; the champion where none is named."""
    if model is None or (model.isdigit() and not Path(model).is_dir()):
        with opened(settings, store, "otzyv predict") as here:
            if model is None:
                name = here.taxonomy.name
                with here.database.transaction() as cursor:
                    model = str(aliases.champion(cursor, name, NO_CHAMPION.format(name)))
            artefact = registry(here).artefact(int(model))
            for name in artefact.served:
                artefact.read(
                    name
                )  # what the database keeps is copied here, for processes that know no database
            here.database.close()
        return ModelHandle(here.settings.models, artefact.path, artefact.sha256)
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
    predictions: OutFile,
    handle: ModelHandle,
    titles: dict[str, str],
    processes: int,
    max_text_chars: int,
    run: UnfinishedRun,
) -> Counter[str]:
    """Write the file; returns how many rows there are of each category, and how many were rejected or truncated."""
    counts: Counter[str] = Counter()
    with (
        kept_answers(run) as kept,
        row_writer.beside(predictions, rows, COLUMNS) as write_rows,
        file_progress() as progress,
        ProcessPoolExecutor(processes, get_context("spawn"), _load, (handle,)) as pool,
    ):
        task = progress.add_task(rows.file.name, total=1.0, reviews=0)
        for records, answers in _answered(pool, rows, max_text_chars, 2 * processes, kept.earlier):
            write_rows(records, (dict(zip(COLUMNS, _cells(one, titles), strict=True)) for one in answers))
            kept.add(answers)
            counts.update(row_writer.REJECTED if isinstance(one, str) else one.slug for one in answers)
            counts["truncated"] += sum(not isinstance(one, str) and one.truncated for one in answers)
            progress.update(
                task, completed=rows.file.fraction_read, reviews=counts.total() - counts["truncated"]
            )
        progress.update(task, completed=1.0)
    return counts


def _answered(
    pool: Executor, rows: ReviewRows, max_text_chars: int, ahead: int, earlier: Iterator[PartAnswers]
) -> Iterator[tuple[list[Record], PartAnswers]]:
    """Parts of the file in order: its rows, and for each an answer, of an earlier run if there, or why it has none."""
    pending: deque[tuple[list[Record], Callable[[], PartAnswers]]] = deque()
    for records, wire in rows.chunks():
        for start in range(0, len(records), CHUNK):
            some, known = wire[start : start + CHUNK], next(earlier, None)
            answers = partial(list, known) if known is not None else _asked(pool, some, max_text_chars)
            pending.append((records[start : start + CHUNK], answers))
            if len(pending) > ahead:
                first, answers = pending.popleft()
                yield first, answers()
    for first, answers in pending:
        yield first, answers()


def _asked(pool: Executor, wire: Sequence[Record], max_text_chars: int) -> Callable[[], PartAnswers]:
    """Ask about rows in the wire contract; what is returned waits for the answers."""
    texts, reasons = list[str](), list[str | None]()
    for row in wire:
        message = decode(encode([row]), max_text_chars=max_text_chars)
        reasons.append(message.rejected[0].reason if message.rejected else None)
        texts += [review.text for review in message.reviews]
    # Whoever presses Ctrl-C ends this process, which ends the others: they hear nothing of it.
    with heard_later(signal.SIGINT):
        asked = pool.submit(_answers, texts)

    def placed() -> PartAnswers:
        try:
            found = iter(asked.result())
        except BrokenProcessPool as error:
            raise ModelUnavailable(
                "otzyv predict: expected its processes to live, found one killed; was there too little memory? Use "
                "fewer with OTZYV_WORKER_PROCESSES"
            ) from error
        return [reason or next(found) for reason in reasons]

    return placed


_classifier: Classifier | None = None
"""The model of a process of the pool."""


def _load(handle: ModelHandle) -> None:
    global _classifier
    threading.Thread(target=leave_with_parent, name="parent", daemon=True).start()
    _classifier = handle.artefact().classifier()


def leave_with_parent() -> None:
    """End this process when the one is gone that has started it, however that ended."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(ORPHANED)


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
