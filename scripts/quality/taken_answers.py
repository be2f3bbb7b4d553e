"""`otzyv audit import`: people's answers taken in; what they settle becomes gold and people's labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from msgspec.structs import replace
from psycopg2.extensions import cursor as Cursor

from scripts.command.console import left_out, out, remark
from scripts.files.answer_file import Given
from scripts.files.opinions import LEAVE, each_persons, refuse_disagreement
from scripts.files.record import only
from scripts.files.same_text import ComparedTexts
from scripts.language.language import counted, translated
from shared.errors import InputFileError
from shared.quality.agreement import Opinion
from shared.runtime.runtime import Runtime
from shared.store import audits, gold, labels
from shared.store.audits import AuditedReview
from shared.store.gold import GoldAnswer, Settled

Disagreements = Literal["refuse", "keep"]
"""What to do where people differ about a review, or one of them names several categories."""

Present = Sequence[tuple[Given, AuditedReview]]
Counting = Mapping[int, Sequence[Opinion]]
"""By review, one answer a person."""

REMEDY = f"{LEAVE}, or keep every answer with `otzyv audit import --disagreements keep`"


def import_answers(
    path: Path, given: Sequence[Given], here: Runtime, *, disagreements: Disagreements = "refuse"
) -> None:
    """Take the answers of a file in, all or none. Raises InputFileError."""
    with here.database.transaction() as cursor:
        present = _present(cursor, path, given, here)
        names = {review.review_id: f"the review {one.name!r}" for one, review in present}
        said: dict[int, list[Opinion]] = {}
        for one, review in present:
            said.setdefault(review.review_id, []).append(one.opinion)
        counting = {key: each_persons(path, names[key], opinions) for key, opinions in said.items()}
        revisions = {review.review_id: review.revision for _, review in present}
        answers = [
            GoldAnswer(review_id, revisions[review_id], first, one.annotator, one.ambiguous, others)
            for review_id, each in counting.items()
            for one in each
            for first, *others in [one.categories]
        ]
        known = {
            (one.review_id, one.annotator): one for one in gold.about(cursor, [*counting], here.taxonomy_id)
        }
        settled = gold.record(cursor, answers, here.taxonomy_id)
        if disagreements == "refuse":
            _refuse_disagreements(cursor, path, names, counting, here.taxonomy_id)
        _settle(cursor, settled, present, here.taxonomy_id)
    before = [known.get((one.review_id, one.annotator)) for one in answers]
    same = sum(map(is_the_same, answers, before))
    tell_taken(settled, Taken(len(answers), before.count(None), same), len(present), len(given))


def tell_unnamed(given: Sequence[Given]) -> None:
    """Say how many answers name nobody, if some do."""
    if unnamed := sum(not one.opinion.annotator for one in given):
        told = counted(
            "{number} answer names nobody who gave it, and counts as of one more person; --annotator names one",
            "{number} answers name nobody who gave them, and count as of one more person; --annotator names one",
            unnamed,
        )
        remark(translated("note"), told)


def _present(cursor: Cursor, path: Path, given: Sequence[Given], here: Runtime) -> Present:
    """The answers with their reviews, without those about a text that has been replaced."""
    for number in {one.audit for one in given if one.audit is not None}:
        if audits.taxonomy_of(cursor, number) != here.taxonomy_id:
            raise InputFileError(
                f"{path}: expected audits of the taxonomy {here.taxonomy.name} {here.taxonomy.version[:12]}, found "
                f"audit {number}, which is of another or none; set OTZYV_TAXONOMY and OTZYV_DATABASE_URL as when "
                "it was drawn"
            )
    found = audits.find(cursor, [(one.audit, one.source, one.id) for one in given])
    present, texts = [], ComparedTexts(path, masks=here.settings.mask_personal_data)
    for one, reviews in zip(given, found, strict=True):
        where = "stored review" if one.audit is None else f"review of audit {one.audit}"
        review = only(path, one.opinion.row, f"{where} with the id {one.name!r}", reviews)
        drawn = review.drawn in (None, review.revision)
        if drawn and texts.is_of_now(one.opinion.row, one.row, review):
            present.append((one, review))
    texts.tell()
    return present


def _refuse_disagreements(
    cursor: Cursor, path: Path, names: Mapping[int, str], counting: Counting, taxonomy_id: int
) -> None:
    """Also where somebody differs whose answers were taken in before."""
    said: dict[int, list[Opinion]] = {}
    for one in gold.about(cursor, list(counting), taxonomy_id):
        rows = [new.row for new in counting[one.review_id] if new.annotator == one.annotator]
        known = Opinion(rows[0] if rows else 0, one.annotator, (one.category, *one.also))
        said.setdefault(one.review_id, []).append(known)
    for review_id, opinions in said.items():
        refuse_disagreement(path, names[review_id], opinions, REMEDY)


def _settle(cursor: Cursor, settled: Sequence[Settled], present: Present, taxonomy_id: int) -> None:
    """Note in audits, and in labels, what people's answers come to."""
    each = {one.review_id: one for one in settled}
    audits.answer(
        cursor,
        [
            (one.audit, found.review_id, found.category, ", ".join(found.people))
            for one, review in present
            if one.audit is not None and (found := each.get(review.review_id)) is not None
        ],
    )
    told = [(one.review_id, one.revision, one.category) for one in settled if one.category is not None]
    labels.settle_by_people(cursor, told, taxonomy_id)
    labels.doubt(cursor, [one.review_id for one in settled if one.category is None], taxonomy_id)


class Taken(NamedTuple):
    """How many answers were taken in; of them new ones, and those that were there already. The rest replaced others."""

    answers: int
    new: int
    same: int


def is_the_same(answer: GoldAnswer, before: GoldAnswer | None) -> bool:
    """Whether a person had said just that before."""
    return before is not None and replace(answer, also=tuple(answer.also)) == replace(
        before, also=tuple(before.also)
    )


def tell_taken(settled: Sequence[Settled], taken: Taken, present: int, given: int) -> None:
    """What has become of a file of answers: `given` rows, `present` ones about texts that are there, one a person."""
    undecided = sum(one.category is None for one in settled)
    reviews = len(settled) - undecided
    told = counted("{number} answer taken in", "{number} answers taken in", taken.answers)
    golden = counted(
        "{number} review is gold, and labelled by people",
        "{number} reviews are gold, and labelled by people",
        reviews,
    )
    out.print(f"{told} ({in_parts(taken)}): {golden}", soft_wrap=True)
    if undecided:
        told = counted(
            "{number} review is neither gold nor labelled by people: no category has more than half of its answers; "
            "they are kept, and another person's may decide",
            "{number} reviews are neither gold nor labelled by people: no category has more than half of their "
            "answers; they are kept, and another person's may decide",
            undecided,
        )
        remark(translated("undecided"), told)
    if present > taken.answers:
        left_out(
            "{number} other answer of the same people about the same reviews",
            "{number} other answers of the same people about the same reviews",
            present - taken.answers,
        )
    if given > present:
        left_out(
            "{number} answer about a text that has been replaced since it was drawn",
            "{number} answers about texts that have been replaced since they were drawn",
            given - present,
        )


def in_parts(taken: Taken) -> str:
    """How many answers are new, how many others they replace, and how many were there."""
    changed = taken.answers - taken.new - taken.same
    parts = [counted("{number} new", "{number} new", taken.new)]
    if changed:
        parts += [
            counted(
                "{number} instead of an earlier one of the same person",
                "{number} instead of earlier ones of the same people",
                changed,
            )
        ]
    if taken.same:
        parts += [counted("{number} there already", "{number} there already", taken.same)]
    return ", ".join(parts)
