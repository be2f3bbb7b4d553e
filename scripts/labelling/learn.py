"""`otzyv taxonomy learn`: entries for a taxonomy out of labelled reviews, as a table and as a diff of its file."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from scripts.command.console import out
from scripts.command.database import opened
from scripts.command.progress import review_progress
from scripts.files.whole_file import write_text
from scripts.labelling import lesson_report
from scripts.labelling.learn_options import LearnOptions
from scripts.labelling.taught_labels import read_taught
from scripts.language.language import translated
from shared.cascade.rule import StageRule
from shared.errors import ConfigurationError, InputFileError
from shared.labelling.rules import resolve
from shared.learning.effect import effect, least_kept
from shared.learning.ground import LEAST_LABELS
from shared.learning.learning import STEPS, Lesson, learn
from shared.learning.proposal import Proposal, applied
from shared.runtime import runtime
from shared.settings import Settings
from shared.stages.keywords.stage import KeywordStage
from shared.store import labels, reviews, thresholds
from shared.taxonomy import DEFAULT_PATH, Taxonomy

MOST_STORED = 50_000
"""Stored reviews on which changes are shown, the newest ones."""


class Lessons(msgspec.Struct):
    """Labels to learn from, the rule that says what keywords keep, and the reviews on which changes are shown."""

    texts: list[str]
    labels: list[str]
    rule: StageRule
    shown_on: list[str]


def learn_entries(given: LearnOptions, settings: Settings, *, as_json: bool) -> None:
    """Learn, show, and write what is taken."""
    for option, value, least in (("--precision", given.precision, 0), ("--floor", given.floor, -1)):
        if not least < value < 1:
            raise ConfigurationError(f"{option}: expected a number from 0 to 1, found {value:g}")
    path = Path(settings.taxonomy) if settings.taxonomy is not None else DEFAULT_PATH
    taxonomy = runtime.load_taxonomy(settings)
    found = from_file(given, settings, taxonomy) if given.labels else from_store(given, settings)
    lesson = taught(found, taxonomy, given)
    text = path.read_text(encoding="utf-8-sig")
    taken = chosen(lesson.proposals, given.take, given.leave)
    changed = applied(text, taken)
    changes = effect(taxonomy, Taxonomy.parse(changed), found.rule, found.shown_on)
    diff = difference(path, text, changed)
    if given.out is not None:
        write_text(given.out, changed)
    if given.diff is not None:
        write_text(given.diff, diff)
    if as_json:
        out.print_json(data=lesson_report.as_json(lesson, taken, changes, diff))
        return
    lesson_report.show(lesson, taken, changes, taxonomy)
    if given.out is None and given.diff is None and taken:
        out.print(diff, soft_wrap=True)
    for written in (given.out, given.diff):
        if written is not None:
            out.print(translated("written: {file}", file=written), soft_wrap=True)


def taught(found: Lessons, taxonomy: Taxonomy, given: LearnOptions) -> Lesson:
    """What the labels teach. Raises InputFileError where no category has enough of them."""
    most = max(found.labels.count(slug) for slug in taxonomy.slugs)
    if most < LEAST_LABELS:
        raise InputFileError(
            f"learn: expected {LEAST_LABELS} labels of a category at least, found {most} of the most frequent one; "
            "label more reviews, or name another file"
        )
    with review_progress() as progress:
        task = progress.add_task(translated("searches"), total=STEPS, note="")
        return learn(
            taxonomy,
            found.texts,
            found.labels,
            [least_kept(found.rule, slug) for slug in taxonomy.slugs],
            precision=given.precision,
            floor=given.floor,
            on_step=lambda: progress.advance(task),
        )


def from_file(given: LearnOptions, settings: Settings, taxonomy: Taxonomy) -> Lessons:
    """Labels in a file. What changes is shown on its reviews, with the thresholds of the settings."""
    if given.store is not None:
        raise ConfigurationError("learn: expected --labels or --store, found both; choose one")
    assert given.labels is not None  # noqa: S101  asked by who calls
    rows = read_taught(given.labels, given.reviews, given.without, taxonomy, given)
    texts = [row.text for row in rows]
    rule = resolve(KeywordStage(taxonomy), settings.thresholds)
    return Lessons(texts, [row.category for row in rows], rule, texts)


def from_store(given: LearnOptions, settings: Settings) -> Lessons:
    """Stored labels and reviews, with the thresholds that hold there."""
    if given.without is not None:
        raise ConfigurationError(
            "--without: expected --labels beside it; gold in the database teaches nothing anyway"
        )
    with opened(settings, given.store, "otzyv taxonomy learn") as here, here.database.transaction() as cursor:
        rows = labels.teaching(cursor, here.taxonomy_id)
        stored = thresholds.current(cursor, here.taxonomy_id).get(KeywordStage.name)
        shown_on = reviews.newest_texts(cursor, MOST_STORED)
        rule = resolve(KeywordStage(here.taxonomy), settings.thresholds, stored)
    known = [row for row in rows if row.category in here.taxonomy.slugs]
    if not known:
        raise InputFileError(
            "learn: expected labels of people or of stages other than keywords in the database, found none for this "
            "taxonomy; take some in with `otzyv labels import`, or name a file with --labels"
        )
    return Lessons([row.text for row in known], [row.category for row in known], rule, shown_on)


def chosen(proposals: Sequence[Proposal], take: str | None, leave: str | None) -> list[Proposal]:
    """The proposals that a person takes: all, unless numbers are named. Raises ConfigurationError."""
    if take is not None and leave is not None:
        raise ConfigurationError("learn: expected --take or --leave, found both; choose one")
    taken = numbers("--take", take, len(proposals)) if take is not None else None
    left = numbers("--leave", leave, len(proposals)) if leave is not None else set()
    return [one for one in proposals if one.number not in left and (taken is None or one.number in taken)]


def numbers(option: str, given: str, most: int) -> set[int]:
    """The numbers in a list such as 1,4-9. Raises ConfigurationError."""
    found: set[int] = set()
    for part in given.split(","):
        first, dash, last = part.strip().partition("-")
        ends = (first, last if dash else first)
        if not all(end.isdecimal() and 1 <= int(end) <= most for end in ends):
            raise ConfigurationError(
                f"{option}: expected numbers from 1 to {most} such as 1,4-9, found {part.strip()!r}"
            )
        found |= set(range(int(ends[0]), int(ends[1]) + 1))
    return found


def difference(path: Path, text: str, changed: str) -> str:
    """A unified diff of the taxonomy's file, empty where nothing changes."""
    lines = difflib.unified_diff(
        text.splitlines(keepends=True), changed.splitlines(keepends=True), path.name, path.name, n=1
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
