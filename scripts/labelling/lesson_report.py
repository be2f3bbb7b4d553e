"""What `otzyv taxonomy learn` found, as tables for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec
from rich.table import Column, Table

from scripts.command.console import out, remark
from scripts.command.escaping import escaped
from scripts.pages.tables import figure, name, table
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
NOT_KEPT = "not kept"


def show(lesson: Lesson, taken: Sequence[Proposal], changes: Effect, taxonomy: Taxonomy) -> None:
    """Tell what was learned and what it changes."""
    numbers = {one.number for one in taken}
    if lesson.proposals:
        out.print(proposals(lesson, numbers, examples=out.width >= WIDE))
    for sentence in sentences(lesson, taken, changes):
        out.print(sentence, soft_wrap=True)
    moves = [
        (titled(one.then), titled(one.now), f"{one.count:,}", cut(one.samples[0])) for one in changes.changes
    ]
    if moves:
        heads = (figure("from"), figure("to"), figure("reviews"), example())
        out.print(table(heads, moves[:MOST_CHANGES]))
        if (more := len(moves) - MOST_CHANGES) > 0:
            out.print(
                f"and {more:,} other changes of {sum(one.count for one in changes.changes[MOST_CHANGES:]):,} reviews"
            )
    for slug, count in lesson.more.items():
        if lesson.labels[slug] < LEAST_LABELS or count:
            remark("too few labels", f"{taxonomy.category(slug).title}: {needed(lesson.labels[slug], count)}")


def proposals(lesson: Lesson, taken: Collection[int], *, examples: bool) -> Table:
    """One line for each; an example only where the terminal is wide enough."""
    rows = []
    for one in lesson.proposals:
        heard, change = one.heard, one.change
        low, high = heard.bounds()
        cells = (
            f"{one.number}{'' if one.number in taken else ' left'}",
            escaped(change.text),
            one.sort if one.sort in ("weight", "exclusion") else change.field.removesuffix("s"),
            change.slug,
            weights(one),
            "/".join(map(str, one.support)),
            f"{heard.right}/{heard.checked}",
            f"{heard.changed_right}/{heard.changed}",
            f"{low:.2f}-{high:.2f}",
        )
        rows.append((*cells, *((cut(one.example),) if examples else ())))
    rest = map(figure, ("kind", "category", "weight", "labels", "unseen", "new", "precision"))
    return table((figure("no"), name("entry"), *rest, *((example(),) if examples else ())), rows)


def example() -> Column:
    """A column for the beginnings of reviews: it gets what the others leave."""
    return Column("for example", no_wrap=True, overflow="ellipsis")


def needed(labels: int, more: int) -> str:
    """How many labels there are, and how many more may bring a proposal."""
    return f"{labels:,}, about {more:,} more may bring a proposal"


def sentences(lesson: Lesson, taken: Sequence[Proposal], changes: Effect) -> Iterator[str]:
    """The figures of all proposals together."""
    reviews = lesson.reviews
    before, unseen = (
        right / kept if kept else 1.0
        for right, kept in ((lesson.right, lesson.kept), (lesson.unseen_right, lesson.unseen_kept))
    )
    yield (
        f"{reviews:,} labelled reviews: keywords keep {lesson.kept / reviews:.3f} of them as they are, {before:.3f} "
        f"rightly; with what was found without them {lesson.unseen_kept / reviews:.3f}, {unseen:.3f} rightly"
    )
    if not lesson.proposals:
        yield "no proposals: nothing is borne out by reviews that it was not found in"
        return
    yield (
        f"{len(taken):,} of {len(lesson.proposals):,} proposals taken; of {changes.reviews:,} reviews keywords would "
        f"keep {changes.after:,}, now {changes.before:,}:"
    )


def weights(one: Proposal) -> str:
    """The weight, and the one before it."""
    after = "" if one.change.weight is None else f"{one.change.weight:g}"
    return f"{one.before:g} → {after}" if one.before is not None else after


def titled(slug: str | None) -> str:
    return NOT_KEPT if slug is None else slug


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
