"""What `otzyv taxonomy learn` found, as tables for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec
from rich.table import Column, Table

from scripts.command.console import out, remark
from scripts.command.escaping import escaped
from scripts.language.language import Sentence, counted, decimal, grouped, translated
from scripts.pages import figures
from scripts.pages.tables import figure, table
from shared.learning.effect import Effect
from shared.learning.ground import LEAST_LABELS
from shared.learning.learning import Lesson
from shared.learning.proposal import Proposal
from shared.taxonomy import Taxonomy

SHOWN = 60
"""Characters of a review in a table."""
MOST_CHANGES = 15
WIDE = 130
"""Columns from which a terminal shows an example of each proposal; --json has them always."""
NOT_KEPT = Sentence("not kept")


def show(lesson: Lesson, taken: Sequence[Proposal], changes: Effect, taxonomy: Taxonomy) -> None:
    """Tell what was learned and what it changes."""
    numbers = {one.number for one in taken}
    if lesson.proposals:
        out.print(proposals(lesson, numbers, examples=out.width >= WIDE))
    for sentence in sentences(lesson, taken, changes):
        out.print(sentence, soft_wrap=True)
    moves = [
        (titled(one.then), titled(one.now), grouped(one.count), cut(one.samples[0]))
        for one in changes.changes
    ]
    if moves:
        heads = (
            figure(translated("from")),
            figure(translated("to")),
            figure(translated("reviews")),
            example(),
        )
        out.print(table(heads, moves[:MOST_CHANGES], expand=True))
        if (more := len(moves) - MOST_CHANGES) > 0:
            others = sum(one.count for one in changes.changes[MOST_CHANGES:])
            told = translated(
                "and {changes} of {reviews}",
                changes=counted("{number} other change", "{number} other changes", more),
                reviews=counted("{number} review", "{number} reviews", others),
            )
            out.print(told)
    for slug, count in lesson.more.items():
        if lesson.labels[slug] < LEAST_LABELS or count:
            told = f"{taxonomy.category(slug).title}: {needed(lesson.labels[slug], count)}"
            remark(translated("too few labels"), told)


def proposals(lesson: Lesson, taken: Collection[int], *, examples: bool) -> Table:
    """One line for each; an example only where the terminal is wide enough."""
    rows = []
    for one in lesson.proposals:
        heard, change = one.heard, one.change
        low, high = heard.bounds()
        cells = (
            str(one.number) if one.number in taken else translated("{number} left", number=one.number),
            escaped(change.text),
            one.sort if one.sort in ("weight", "exclusion") else change.field.removesuffix("s"),
            change.slug,
            weights(one),
            "/".join(map(str, one.support)),
            f"{heard.right}/{heard.checked}",
            f"{heard.changed_right}/{heard.changed}",
            f"{decimal(low, 2)}–{decimal(high, 2)}",
        )
        rows.append((*cells, *((cut(one.example),) if examples else ())))
    heads = (translated("kind"), translated("category"), translated("weight"), translated("labels"))
    measured = (translated("unseen"), translated("new"), translated("precision"))
    first = (figure(translated("no")), Column(translated("entry"), overflow="fold", min_width=8))
    return table((*first, *map(figure, (*heads, *measured)), *((example(),) if examples else ())), rows)


def example() -> Column:
    """A column for the beginnings of reviews: it gets what the others leave."""
    return Column(translated("for example"), no_wrap=True, overflow="ellipsis", ratio=1)


def needed(labels: int, more: int) -> str:
    """How many labels there are, and how many more may bring a proposal."""
    return translated(
        "{labels}, about {more} more may bring a proposal", labels=grouped(labels), more=grouped(more)
    )


def sentences(lesson: Lesson, taken: Sequence[Proposal], changes: Effect) -> Iterator[str]:
    """The figures of all proposals together."""
    reviews = lesson.reviews
    before, unseen = (
        right / kept if kept else 1.0
        for right, kept in ((lesson.right, lesson.kept), (lesson.unseen_right, lesson.unseen_kept))
    )
    yield counted(
        "{number} labelled review: keywords keep {now} of them as they are, {now_right} rightly; with what was found "
        "without them {then}, {then_right} rightly",
        "{number} labelled reviews: keywords keep {now} of them as they are, {now_right} rightly; with what was found "
        "without them {then}, {then_right} rightly",
        reviews,
        now=decimal(lesson.kept / reviews, 3),
        now_right=decimal(before, 3),
        then=decimal(lesson.unseen_kept / reviews, 3),
        then_right=decimal(unseen, 3),
    )
    if not lesson.proposals:
        yield translated("no proposals: nothing is borne out by reviews that it was not found in")
        return
    yield translated(
        "proposals taken: {taken} of {all}; of {reviews} reviews keywords would keep {after}, now {before}:",
        taken=grouped(len(taken)),
        all=grouped(len(lesson.proposals)),
        reviews=grouped(changes.reviews),
        after=grouped(changes.after),
        before=grouped(changes.before),
    )


def weights(one: Proposal) -> str:
    """The weight, and the one before it."""
    after = "" if one.change.weight is None else figures.short(one.change.weight)
    return f"{figures.short(one.before)} → {after}" if one.before is not None else after


def titled(slug: str | None) -> str:
    return str(NOT_KEPT) if slug is None else slug


def cut(text: str) -> str:
    """The beginning of a review, safe to print."""
    return escaped(text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…")


def as_json(lesson: Lesson, taken: Sequence[Proposal], changes: Effect, diff: str) -> dict[str, object]:
    """Everything for programs: each proposal with its interval and whether it is taken."""
    numbers = {one.number for one in taken}
    return {
        **{field: value for field, value in msgspec.structs.asdict(lesson).items() if field != "proposals"},
        "proposals": [
            {**msgspec.to_builtins(one), "interval": one.heard.bounds(), "taken": one.number in numbers}
            for one in lesson.proposals
        ],
        "effect": msgspec.to_builtins(changes),
        "diff": diff,
    }
