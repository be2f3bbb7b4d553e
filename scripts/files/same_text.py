"""Whether the rows of a file are about the reviews that their ids name: by their texts, where the file has them."""

from __future__ import annotations

from pathlib import Path

from scripts.command.console import remark
from scripts.files.record import Record, cell
from scripts.language.language import counted, grouped, translated
from shared.errors import InputFileError
from shared.store.audits import AuditedReview
from shared.text.masking import mask

TASK = "task"
"""A column of rows out of Label Studio's tasks, which name the review as it was drawn."""


class ComparedTexts:
    """The texts of a file's rows beside the stored ones. A part of a text is enough: it may be joined from columns."""

    def __init__(self, path: Path, *, masks: bool) -> None:
        self._path, self._masks = path, masks
        self._compared = 0
        self._others: list[int] = []
        self.replaced = 0

    def is_of_now(self, number: int, row: Record, review: AuditedReview) -> bool:
        """Whether a row may be about the review's present text; not where it is another one, and the review had others
        before."""
        text = cell(row, "text")
        if not text or TASK in row:
            return True
        self._compared += 1
        given = mask(text) if self._masks else text
        there, here = (" ".join(one.replace("\0", "").split()) for one in (review.text, given))
        if here in there:
            return True
        if review.revision > 1:
            self.replaced += 1
            return False
        self._others.append(number)
        return True

    def tell(self) -> None:
        """Say which rows have another text than their review. Raises InputFileError where most have."""
        if not self._others:
            return
        others, first = len(self._others), self._others[0]
        if 2 * others > self._compared:
            raise InputFileError(
                f"{self._path}, row {first}: expected the texts of the reviews, found that {others:,} of "
                f"{self._compared:,} rows have another text than the review of their id: the "
                "column id holds other numbers (JSON-MIN and older CSV of Label Studio have its own there: export as "
                "JSON), or the texts were edited: leave that column out then"
            )
        told = counted(
            "{number} of {all} rows has another text than the review of its id, row {first}; it is taken in by its id",
            "{number} of {all} rows have another text than the review of their id, the first is row {first}; they are "
            "taken in by their ids",
            others,
            all=grouped(self._compared),
            first=first,
        )
        remark(translated("note"), told)
