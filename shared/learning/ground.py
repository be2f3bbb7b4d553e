"""Labelled reviews under a taxonomy, and everything that may be tried on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from shared.compute.arrays import Int64s
from shared.learning.candidates import candidates
from shared.learning.occurrences import Occurrences
from shared.learning.search import Sample
from shared.learning.trials import Trial, enough, exclusions, new_entries, other_weights, seen
from shared.learning.weighed import Answers, Judge, sightings, standing, unknown_words
from shared.stages.keywords.lexicon import Lexicon
from shared.taxonomy import Taxonomy

FOLDS: Final = 4
LEAST_LABELS: Final = 10
"""A category with fewer labels gets no proposals; its labels speak against those of others all the same."""


class Ground:
    """Reviews with the slugs of their categories. `least` is the confidence from which each category is kept."""

    def __init__(
        self, taxonomy: Taxonomy, texts: Sequence[str], labels: Sequence[str], least: Sequence[float]
    ) -> None:
        read, lexicon = Occurrences(texts), Lexicon(taxonomy)
        entries = sightings(read, lexicon)
        truth: Int64s = np.array([taxonomy.slugs.index(label) for label in labels], dtype=np.int64)
        self.texts, self.slugs = texts, taxonomy.slugs
        self.counts = np.bincount(truth, minlength=len(self.slugs))
        self.sample = Sample(
            unknown_words(read, lexicon),
            standing(read, lexicon, entries),
            truth,
            Judge(lexicon),
            np.array(least),
        )
        self.before = self.sample.judge(self.sample.at)
        wrong = self.kept(self.before) & (self.before.categories != truth)
        there, found = seen(read, lexicon), candidates(read)
        self.trials = [
            trial
            for some in (
                new_entries(read, lexicon, there, found, truth),
                other_weights(taxonomy, entries),
                exclusions(read, lexicon, there, found, np.where(wrong, self.before.categories, -1)),
            )
            for trial in some
            if self.counts[trial.category] >= LEAST_LABELS
        ]
        # Of the text and nothing else: the order of rows changes nothing, and the same text is never on both sides.
        numbers = [crc32(text.encode("utf-8", "replace")) for text in texts]
        self.folds = np.array([number % FOLDS for number in numbers])
        self.halves = np.array([number // FOLDS % 2 == 0 for number in numbers])

    def kept(self, answers: Answers) -> NDArray[np.bool_]:
        """Which answers are kept, shape [reviews]."""
        kept: NDArray[np.bool_] = answers.confidences >= np.append(self.sample.least, 2.0)[answers.categories]
        return kept

    def right(self, answers: Answers) -> NDArray[np.bool_]:
        """Which answers are right, shape [reviews]."""
        return np.equal(answers.categories, self.sample.truth)

    def usable(self, chosen: NDArray[np.bool_]) -> list[Trial]:
        """The trials as they are in some of the reviews, where labels there speak for them."""
        truth = self.sample.truth
        some = (trial.among(chosen) for trial in self.trials)
        return [
            one
            for one in some
            if len(one.rows) and (not one.is_new or enough(truth[one.rows] == one.category))
        ]

    def whole(self, chosen: Sequence[Trial]) -> list[Trial]:
        """The same trials in all reviews."""
        every = {identity(trial): trial for trial in self.trials}
        return [every[identity(trial)] for trial in chosen]


def identity(trial: Trial) -> tuple[object, ...]:
    """What tells two trials apart."""
    return trial.sort, trial.category, trial.entry, trial.weight
