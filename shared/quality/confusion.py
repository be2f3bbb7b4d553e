"""Which category was answered for which: the confusion matrix, and the figures of each category out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from shared.quality.evaluation import CategoryScore

NO_ANSWER: Final = ""
"""Stands for None in a table of pandas, which would leave None out. No category has this name."""


class Confusion(msgspec.Struct, frozen=True):
    """How often gold `names[i]` was answered with `answers[j]`: `counts[i][j]`; the last answer is None, no answer."""

    names: tuple[str, ...]
    answers: tuple[str | None, ...]
    counts: tuple[tuple[int, ...], ...]


class Compared(msgspec.Struct, frozen=True):
    """Answers beside gold: the matrix, and each category that is in gold or was answered, the largest in gold first."""

    matrix: Confusion
    categories: tuple[CategoryScore, ...]

    def weakest(self, enough: int) -> CategoryScore | None:
        """The category with the lowest F1 of those with `enough` gold reviews; None where it has none to be beside."""
        known = [row for row in self.categories if row.gold >= enough]
        return min(known, key=lambda row: row.f1) if len(known) > 1 else None


def compared(gold: Sequence[str], answers: Sequence[str | None], names: Sequence[str]) -> Compared:
    """The confusion matrix over the categories `names`, as scikit-learn's `confusion_matrix`, and a column for None.

    What is of no category in `names` is not counted. Raises ValueError on unequal lengths.
    """
    # Half a second and 40 MiB, which no worker and hardly a command needs.
    import pandas as pd

    if len(gold) != len(answers):
        raise ValueError(
            f"confusion: expected an answer for each review, found {len(answers)} for {len(gold)}"
        )
    given = [NO_ANSWER if answer is None else answer for answer in answers]
    table = pd.crosstab(pd.Series(gold, dtype=object), pd.Series(given, dtype=object))
    table = table.reindex(index=[*names], columns=[*names, NO_ANSWER], fill_value=0)
    matrix = Confusion(tuple(names), (*names, None), tuple(map(tuple, table.to_numpy().tolist())))
    figures = pd.DataFrame(
        {
            "gold": table.sum(axis="columns"),
            "answered": table[[*names]].sum(axis="index"),
            "right": pd.Series({name: table.at[name, name] for name in names}, dtype=int),
        }
    ).rename_axis("category")
    occurring = figures[figures["gold"] + figures["answered"] > 0].reset_index()
    ranked = occurring.sort_values(["gold", "category"], ascending=[False, True])
    return Compared(matrix, tuple(CategoryScore(*row) for row in ranked.itertuples(index=False, name=None)))


def confusion(gold: Sequence[str], answers: Sequence[str | None], names: Sequence[str]) -> Confusion:
    """The matrix alone."""
    return compared(gold, answers, names).matrix
