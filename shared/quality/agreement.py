"""What several answers about one review come to: the one rule for gold, people's labels, audits and files of labels.

Of one person the newest answer counts, by what the file says of its time or number, never by its place. Of several
people the category counts that more than half of them name, and more of them than any other. Otherwise nothing is
settled. Pure functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Opinion(msgspec.Struct, frozen=True):
    """One answer: who gave it, in which row of a file, and what it names; `at` and `number` where the file has them."""

    row: int
    annotator: str
    categories: tuple[str, ...]
    at: datetime | None = None
    number: int | None = None
    ambiguous: bool = False


def newest(opinions: Sequence[Opinion]) -> Opinion | None:
    """Of one person's answers about a review the one that counts; None where they differ and nothing orders them."""
    if len({frozenset(one.categories) for one in opinions}) == 1:
        return opinions[0]
    timed = all(one.at is not None for one in opinions)
    if not timed and any(one.number is None for one in opinions):
        return None
    order = [((one.at if timed and one.at else _NEVER), one.number or 0) for one in opinions]
    last = [one for one, place in zip(opinions, order, strict=True) if place == max(order)]
    return last[0] if len({frozenset(one.categories) for one in last}) == 1 else None


def agreed(people: Iterable[Sequence[str]]) -> bool:
    """Whether they all name the same category, and each of them only one."""
    return len({frozenset(categories) for categories in people}) == 1 and all(
        len(set(categories)) == 1 for categories in people
    )


def settled(people: Sequence[Sequence[str]]) -> str | None:
    """The category that people's answers come to, one answer a person; None where nothing is settled."""
    votes = Counter(category for categories in people for category in set(categories))
    (best, count), *others = votes.most_common(2)
    ahead = 2 * count > len(people) and (not others or others[0][1] < count)
    return best if ahead else None
