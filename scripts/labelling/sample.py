"""A uniform sample of a file's texts, read once and with progress; of the others a number each is kept."""

from __future__ import annotations

from typing import NamedTuple

from scripts.command.progress import file_progress
from scripts.files.review_rows import ReviewRows
from shared.quality.planning import Reservoir


class SampledTexts(NamedTuple):
    """Rows and different texts in a file, and some of its texts."""

    rows: int
    distinct: int
    texts: list[str]


def sample(rows: ReviewRows, size: int, seed: int) -> SampledTexts:
    """At most `size` of the texts. Rows without a text are counted and never drawn."""
    reservoir, texts, total = Reservoir[str](size, seed), set[int](), 0
    with file_progress() as progress:
        task = progress.add_task(rows.file.name, total=1.0, reviews=0)
        for _, wire in rows.chunks():
            for row in wire:
                text = row["text"]
                total += 1
                if isinstance(text, str) and text.strip():
                    reservoir.add(text)
                    texts.add(hash(text))
            progress.update(task, completed=rows.file.fraction_read, reviews=total)
    return SampledTexts(total, len(texts), reservoir.items)
