"""Which changes help most, one after the other, each given the taxonomy and those that were chosen before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.compute.arrays import Int64s
from shared.learning.occurrences import Amounts
from shared.learning.trials import EntryName, Trial
from shared.learning.weighed import Answers, Judge, Weighed

ROUNDS: Final = 200
PAIRS: Final = 60_000
"""Pairs of a change and a review that are weighed at once: some 30 MB."""
NEAR: Final = 0.8
"""What an answer just below its threshold is worth of one that is kept: two weak hints may get there together."""
STEEPNESS: Final = 4
STRENGTH: Final = 8.0
"""How many reviews the experience with changes of one sort counts for against what is seen of one change."""
ENTRY: Final = 0.1
"""What an entry has to bring at least, in right labels, for being one more to read."""
BOLDNESS: Final = 0.5
"""In one round, changes that bring at least this share of the best one's gain are taken, if they share no review."""

Sort = tuple[int, str]
"""Category and sort of a change."""


class Gains(NamedTuple):
    """Right and wrong labels that changes add, and right and wrong ones that they take away. Shapes [changes]."""

    right: Amounts
    wrong: Amounts
    lost: Amounts
    mended: Amounts


class Sample(msgspec.Struct, frozen=True):
    """Labelled reviews as a search sees them. `least` is the confidence from which each category is kept."""

    unknown: NDArray[np.bool_]
    at: Weighed
    truth: Int64s
    judge: Judge
    least: Amounts

    def masses(self, answers: Answers, truth: Int64s) -> tuple[Amounts, Amounts]:
        """What each answer is worth if it is right, and if it is wrong: 1 where it is kept, less the less sure."""
        threshold = np.append(self.least, 1.0)[answers.categories]
        near = NEAR * (answers.confidences / threshold) ** STEEPNESS
        mass = np.where(answers.confidences >= threshold, 1.0, near)
        mass = np.where(answers.categories >= 0, mass, 0.0)
        right = answers.categories == truth
        return np.where(right, mass, 0.0), np.where(right, 0.0, mass)


class Search:
    """Chooses changes greedily. It begins with the taxonomy as it is; `chosen` grows with every `run`."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.at = sample.at.copy()
        self.unknown = sample.unknown.copy()
        self.chosen: list[Trial] = []
        self.present: tuple[Amounts, Amounts] | None = None

    def run(self, trials: Sequence[Trial], expected: Mapping[Sort, float], cost: float) -> None:
        """Take changes as long as one is worth it, where a wrong label costs `cost` right ones.

        `expected` is the share of wrong labels among those that a change of each sort adds, by experience.
        """
        taken = {trial.name for trial in self.chosen}
        trials = [trial for trial in trials if trial.name not in taken]
        if not trials:
            return
        values = self.values(trials, expected, cost)
        numbers: dict[EntryName, int] = {}
        named = np.array([numbers.setdefault(trial.name, len(numbers)) for trial in trials])
        every = np.concatenate([trial.rows for trial in trials])
        starts = np.cumsum([0, *(len(trial.rows) for trial in trials[:-1])])
        for _ in range(ROUNDS):
            names, touched = self.round(trials, values)
            if not names:
                return
            values[np.isin(named, [numbers[name] for name in names])] = -np.inf
            moved = np.logical_or.reduceat(touched[every], starts) & (values > -np.inf)
            again = np.nonzero(moved)[0].tolist()
            if again:
                values[again] = self.values([trials[place] for place in again], expected, cost)

    def round(self, trials: Sequence[Trial], values: Amounts) -> tuple[set[EntryName], NDArray[np.bool_]]:
        """Take the best changes that have nothing to do with each other: their names, and the reviews they changed."""
        touched = np.zeros(len(self.sample.truth), dtype=bool)
        names: set[EntryName] = set()
        floor = max(0.0, BOLDNESS * values.max(initial=0.0))
        for place in np.argsort(-values, kind="stable").tolist():
            if values[place] <= floor * (1 - 1e-9) or values[place] <= 0:
                break
            trial = trials[place]
            if trial.name in names or touched[trial.rows].any():
                continue
            right, wrong = (mass[trial.rows] for mass in self.masses())
            self.take(trial)
            now_right, now_wrong = (mass[trial.rows] for mass in self.masses())
            names.add(trial.name)
            moved = abs(right - now_right) + abs(wrong - now_wrong)
            touched[trial.rows[moved > 0.02]] = True
        return names, touched

    def masses(self) -> tuple[Amounts, Amounts]:
        """What the answers for all reviews are worth now."""
        if self.present is None:
            self.present = self.sample.masses(self.sample.judge(self.at), self.sample.truth)
        return self.present

    def take(self, trial: Trial) -> None:
        """Make a change."""
        if trial.category == self.sample.judge.none:
            self.at.rest[trial.rows] *= trial.ratio
        else:
            self.at.left[trial.role, trial.rows, trial.category] *= trial.ratio
        known = trial.rows[trial.at][self.unknown[trial.places]]
        self.at.unknown[:] -= np.bincount(known, minlength=len(self.at.unknown))
        self.unknown[trial.places] = False
        self.chosen.append(trial)
        self.present = None

    def values(self, trials: Sequence[Trial], expected: Mapping[Sort, float], cost: float) -> Amounts:
        """What each change would bring, in right labels.

        The share of wrong ones is not taken as seen: (wrong + b m) / (added + b) with the expected share m and the
        strength b, the mean of a beta distribution.
        """
        gains = self.gains(trials)
        share = np.array([expected[sort(trial)] for trial in trials])
        added, taken = gains.right + gains.wrong, gains.lost + gains.mended
        wrong = (gains.wrong + STRENGTH * share) / (added + STRENGTH)
        mends = np.array([trial.sort == "exclusion" for trial in trials])
        # An exclusion is there for the errors that it takes away; what others mend is luck.
        mended = np.where(mends, (gains.mended + 0.5) / (taken + 1), 0.0)
        worth: Amounts = (
            added * (1 - wrong - cost * wrong) + taken * (np.sqrt(cost) * mended - (1 - mended)) - ENTRY
        )
        return worth

    def gains(self, trials: Sequence[Trial], where: Amounts | None = None) -> Gains:
        """What each change would do, in all reviews or with a weight for each of them."""
        found = []
        start, size = 0, 0
        for place, trial in enumerate(trials):
            size += len(trial.rows)
            if size > PAIRS or place == len(trials) - 1:
                found.append(self.gains_at_once(trials[start : place + 1], where))
                start, size = place + 1, 0
        return Gains(*np.concatenate(found, axis=1)) if found else Gains(*np.zeros((4, 0)))

    def gains_at_once(self, trials: Sequence[Trial], where: Amounts | None) -> Amounts:
        sizes = [len(trial.rows) for trial in trials]
        owner = np.repeat(np.arange(len(trials)), sizes)
        rows = np.concatenate([trial.rows for trial in trials])
        after = self.at.part(rows)
        ratio = np.concatenate([trial.ratio for trial in trials])
        roles = np.repeat([trial.role for trial in trials], sizes)
        categories = np.repeat([trial.category for trial in trials], sizes)
        none = categories == self.sample.judge.none
        after.rest[none] *= ratio[none]
        named = np.nonzero(~none)[0]
        after.left[roles[named], named, categories[named]] *= ratio[named]
        starts = np.cumsum([0, *sizes[:-1]])
        known = [
            trial.at[self.unknown[trial.places]] + start for trial, start in zip(trials, starts, strict=True)
        ]
        after.unknown[:] -= np.bincount(np.concatenate(known), minlength=len(rows))
        then = (mass[rows] for mass in self.masses())
        now = self.sample.masses(self.sample.judge(after), self.sample.truth[rows])
        weight = 1.0 if where is None else where[rows]
        right, wrong = ((late - early) * weight for early, late in zip(then, now, strict=True))
        changes = (np.maximum(right, 0), np.maximum(wrong, 0), np.maximum(-right, 0), np.maximum(-wrong, 0))
        return np.array([np.bincount(owner, change, minlength=len(trials)) for change in changes])


def sort(trial: Trial) -> Sort:
    """What experience is gathered by."""
    return trial.category, trial.sort
