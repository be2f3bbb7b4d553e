"""How good labels are, against labels made by people: pure functions over lists of categories.

Definitions as in scikit-learn's `precision_recall_fscore_support`: F1 is the harmonic mean of precision and
recall, 0 where both are 0; macro F1 is its mean over the categories that occur in gold or in the answers,
weighted F1 its mean weighted by how often each category occurs in gold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec


class CategoryScore(msgspec.Struct, frozen=True):
    """One category: how often it is in gold, was answered, and was answered rightly."""

    category: str
    gold: int
    answered: int
    right: int

    @property
    def precision(self) -> float:
        """Share of its answers that are right, 0..1."""
        return self.right / self.answered if self.answered else 0.0

    @property
    def recall(self) -> float:
        """Share of its gold reviews that were found, 0..1."""
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0..1."""
        total = self.gold + self.answered
        return 2 * self.right / total if total else 0.0


class Score(msgspec.Struct, frozen=True):
    """Answers against gold. A review without an answer counts against coverage and recall, not precision."""

    total: int
    answered: int
    right: int
    categories: tuple[CategoryScore, ...]

    @property
    def coverage(self) -> float:
        """Share of the reviews that got an answer, 0..1."""
        return self.answered / self.total if self.total else 0.0

    @property
    def precision(self) -> float:
        """Share of the answers that are right, 0..1."""
        return self.right / self.answered if self.answered else 0.0

    @property
    def accuracy(self) -> float:
        """Share of all reviews that got the right answer, 0..1."""
        return self.right / self.total if self.total else 0.0

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the categories that occur."""
        occurring = [row.f1 for row in self.categories if row.gold or row.answered]
        return sum(occurring) / len(occurring) if occurring else 0.0

    @property
    def weighted_f1(self) -> float:
        """Mean F1 of the categories, weighted by their share of gold."""
        return sum(row.f1 * row.gold for row in self.categories) / self.total if self.total else 0.0

    @property
    def metrics(self) -> dict[str, float]:
        """What is kept with a model: `weighted_f1`, `macro_f1`, `accuracy`, and how many `gold_reviews` there were."""
        return {
            "weighted_f1": self.weighted_f1,
            "macro_f1": self.macro_f1,
            "accuracy": self.accuracy,
            "gold_reviews": float(self.total),
        }


def score(gold: Sequence[str], answers: Sequence[str | None]) -> Score:
    """Compare answers (None: no answer) with gold, review by review. Raises ValueError on unequal lengths."""
    in_gold, answered = Counter(gold), Counter(answer for answer in answers if answer is not None)
    right = Counter(answer for truth, answer in zip(gold, answers, strict=True) if truth == answer)
    names = sorted({*in_gold, *answered}, key=lambda name: (-in_gold[name], name))
    rows = tuple(CategoryScore(name, in_gold[name], answered[name], right[name]) for name in names)
    return Score(len(gold), answered.total(), right.total(), rows)
