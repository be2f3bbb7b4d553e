"""From labelled reviews to proposals: found in most of the reviews, checked on the others, until each was among them.

Every review is left out of one of FOLDS searches, and tells how right that one was. Each goes from picky to generous;
of each category it counts as far as enough of the new labels are right on reviews that it has not seen. What is found
so in all reviews is proposed, if it was also found without some of them, and they bear it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.learning.evidence import Evidence, name
from shared.learning.experience import expected_errors
from shared.learning.ground import FOLDS, LEAST_LABELS, Ground
from shared.learning.proposal import Hearing, Proposal
from shared.learning.search import ENTRY, Search
from shared.learning.trials import Trial
from shared.taxonomy import Taxonomy
from shared.taxonomy.edits import Change

COSTS: Final = (14.0, 10.0, 8.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.5)
"""Right labels that a wrong one costs, from the pickiest search to the most generous one."""
STEPS: Final = FOLDS + 1
"""Searches that are made, for progress."""
SOUND: Final = 0.8
"""Share of right labels, among those that are kept because of it, below which nothing is proposed."""
MOST_MORE: Final = 100_000
"""Labels; whoever would need more is told nothing."""


Path = list[list[Trial]]
"""What a search has found at each of the COSTS: each list begins with the one before it."""


class Lesson(msgspec.Struct, frozen=True):
    """What came of it.

    `proposals`, the best first. Of `reviews` labelled reviews the taxonomy keeps `kept` as it is, `right` of them
    rightly; `unseen_kept` and `unseen_right` tell the same of what was found without each of them. `labels` counts
    them by category. `more` tells for categories without proposals how many labels more may bring one: 0 where nothing
    can be told.
    """

    proposals: tuple[Proposal, ...]
    reviews: int
    kept: int
    right: int
    labels: dict[str, int]
    unseen_kept: int
    unseen_right: int
    more: dict[str, int]


def learn(
    taxonomy: Taxonomy,
    texts: Sequence[str],
    labels: Sequence[str],
    least: Sequence[float],
    *,
    precision: float,
    floor: float,
    on_step: Callable[[], None] = lambda: None,
) -> Lesson:
    """Proposals for a taxonomy out of reviews and the slugs of their categories.

    `least` is the confidence from which the keyword stage's verdicts are kept, by category. `precision` is the share of
    a category's new labels that has to be right on reviews that a search has not seen, `floor` the lower bound that
    each proposal has to reach there. `on_step` is called after each of STEPS searches.
    """
    ground = Ground(taxonomy, texts, labels, least)
    found: list[Path] = []
    for fold in range(FOLDS):
        found.append(searched(ground, ground.folds != fold))
        on_step()
    levels = reached(ground, found, precision)
    heard = Evidence(ground)
    for fold, path in enumerate(found):
        heard.hear(ground.whole(up_to(path, levels)), np.equal(ground.folds, fold))
    everything = searched(ground, np.ones(len(texts), dtype=bool))
    on_step()
    return lesson(ground, ground.whole(up_to(everything, levels)), heard, floor)


def reached(ground: Ground, found: Sequence[Path], precision: float) -> list[int]:
    """How far each category goes: the number of its most generous cost that is good enough, -1 for none."""
    levels = [-1] * len(ground.slugs)
    for level in range(len(COSTS)):
        heard = Evidence(ground)
        for fold, path in enumerate(found):
            heard.hear(ground.whole(path[level]), np.equal(ground.folds, fold))
        good = (heard.changed > 0) & (heard.changed_right >= precision * heard.changed)
        for category in np.nonzero(good)[0].tolist():
            levels[category] = level
    return levels


def up_to(path: Path, levels: Sequence[int]) -> list[Trial]:
    """What a search found for each category as far as that goes."""
    before = [0, *map(len, path)]
    return [
        trial
        for level, chosen in enumerate(path)
        for trial in chosen[before[level] :]
        if level <= levels[trial.category]
    ]


def searched(ground: Ground, chosen: NDArray[np.bool_]) -> Path:
    """What one search finds in some of the reviews at each of the COSTS, with all that it found before."""
    search, trials = Search(ground.sample), ground.usable(chosen)
    expected = expected_errors(search, trials, chosen, ground.halves)
    brought = search.gains(trials).right.tolist()
    # What brings next to nothing to the taxonomy as it is brings no more to a better one.
    trials = [
        trial
        for trial, right in zip(trials, brought, strict=True)
        if right >= ENTRY or trial.sort == "exclusion"
    ]
    found = []
    for cost in COSTS:
        search.run(trials, expected, cost)
        found.append(list(search.chosen))
    return found


def lesson(ground: Ground, chosen: Sequence[Trial], heard: Evidence, floor: float) -> Lesson:
    """The changes that are borne out, as proposals, in the order in which they were found."""
    proposals: list[Proposal] = []
    more: dict[str, int] = {}
    labels = dict(zip(ground.slugs, ground.counts.tolist(), strict=True))
    for trial in chosen:
        said, slug = heard.of.get(name(trial), Hearing()), ground.slugs[trial.category]
        if said.bounds()[0] < floor or said.changed_right < SOUND * said.changed:
            if needed := more_labels(said, labels[slug], floor):
                more[slug] = min(needed, more.get(slug, needed))
        else:
            proposals.append(proposal(ground, trial, said, len(proposals) + 1))
    proposed = {one.change.slug for one in proposals}
    kept, right = ground.kept(ground.before), ground.right(ground.before)
    return Lesson(
        proposals=tuple(proposals),
        reviews=len(ground.texts),
        kept=int(kept.sum()),
        right=int((kept & right).sum()),
        unseen_kept=heard.kept,
        unseen_right=heard.right,
        labels=labels,
        more={
            slug: max(LEAST_LABELS - count, more.get(slug, 0))
            for slug, count in labels.items()
            if slug not in proposed
        },
    )


def proposal(ground: Ground, trial: Trial, said: Hearing, number: int) -> Proposal:
    """One change with what speaks for it."""
    of_category = np.equal(ground.sample.truth[trial.rows], trial.category)
    row = said.example if said.example >= 0 else int(trial.rows[int(of_category.argmax())])
    return Proposal(
        number=number,
        sort=trial.sort,
        change=Change(ground.slugs[trial.category], *trial.entry, trial.weight),
        before=trial.before,
        support=(int(of_category.sum()), len(trial.rows)),
        heard=said,
        example=ground.texts[row],
    )


def more_labels(said: Hearing, labels: int, floor: float) -> int:
    """How many labels of its category more a change would need, if it stays as right as it is; 0: nobody knows."""
    if not said.checked or said.right < said.checked:
        return 0
    clean = 1
    while Hearing(clean, clean).bounds()[0] < floor and clean < MOST_MORE:
        clean += 1
    return max(0, ceil(labels * clean / said.checked) - labels)
