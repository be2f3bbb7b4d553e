"""What reviews say of changes that were found without them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.compute.arrays import Int64s
from shared.learning.ground import Ground
from shared.learning.proposal import Hearing
from shared.learning.search import Search
from shared.learning.trials import EntryName, Trial

ChangeName = tuple[EntryName, int, bool]
"""What makes two changes the same, whatever the weight: the entry, its category, whether it speaks for it."""


class Evidence:
    """What changes came to: each alone in `of`, all together in `kept` labels and the `right` ones among them.

    `changed` and `changed_right` count labels that are new or gone by their category, shape [categories].
    """

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.kept = 0
        self.right = 0
        self.changed = np.zeros(len(ground.slugs), dtype=np.int64)
        self.changed_right = np.zeros(len(ground.slugs), dtype=np.int64)
        self.of: dict[ChangeName, Hearing] = defaultdict(Hearing)

    def hear(self, chosen: Sequence[Trial], rows: NDArray[np.bool_]) -> None:
        """Hear some of the reviews about changes."""
        ground, search = self.ground, Search(self.ground.sample)
        for trial in chosen:
            search.take(trial)
        before, after = ground.before, ground.sample.judge(search.at)
        was, now = ground.kept(before) & rows, ground.kept(after) & rows
        same = was & now & (before.categories == after.categories)
        new, gone = now & ~same, was & ~now
        good = np.where(now, ground.right(after), ~ground.right(before))
        self.kept += int(now.sum())
        self.right += int((now & good).sum())
        for some, of in ((new, after.categories), (gone, before.categories)):
            self.changed += np.bincount(of[some], minlength=len(ground.slugs))
            self.changed_right += np.bincount(of[some & good], minlength=len(ground.slugs))
        for trial in chosen:
            mine = now & (after.categories == trial.category)
            if not speaks(trial):
                mine = (new | gone) & (before.categories == trial.category)
            self.tell(trial, trial.rows[mine[trial.rows]], new | gone, good)

    def tell(self, trial: Trial, rows: Int64s, changed: NDArray[np.bool_], good: NDArray[np.bool_]) -> None:
        """What some reviews say of one change."""
        heard = self.of[name(trial)]
        fresh = rows[changed[rows]]
        heard.checked += len(rows)
        heard.right += int(good[rows].sum())
        heard.changed += len(fresh)
        heard.changed_right += int(good[fresh].sum())
        examples = fresh[good[fresh]].tolist()
        if heard.example < 0 and examples:
            heard.example = examples[0]


def speaks(trial: Trial) -> bool:
    """Whether a change speaks for its category, not against it."""
    return trial.is_new or (trial.sort == "weight" and (trial.weight or 0) > (trial.before or 0))


def name(trial: Trial) -> ChangeName:
    """The same for the same change with another weight."""
    return trial.name, trial.category, speaks(trial)
