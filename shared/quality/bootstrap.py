"""How far F1 could be off because gold is only a sample: bootstrap intervals over the reviews of a gold set.

The percentile interval of B. Efron and R. Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3, p. 170:
draw as many reviews as there are, with replacement, score them, and take the quantiles of those scores. Two sets of
answers are compared on the same draws, as in P. Koehn, "Statistical Significance Tests for Machine Translation
Evaluation" (EMNLP 2004), section 4.

A drawn sample is scored exactly as `shared.quality.evaluation.score` would: a category that is neither in its gold nor
in its answers is not counted in its macro F1. Seeds are not drawn: an interval says what other reviews would change,
the spread over seeds what another training would.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
from scipy.sparse import csr_array

from shared.compute.arrays import Float64s, Int64s
from shared.quality.evaluation import score

GoldAnswers = Sequence[str | None]

SAMPLES: Final = 2000
"""Draws of a 95 % interval: 50 of them lie in each tail."""

TAIL: Final = 50
"""Draws that shall lie in each tail, however small its share."""

CELLS: Final = 2_000_000
"""Numbers of one chunk of draws, 8 bytes each, of which a few copies live at once."""


class Interval(msgspec.Struct, frozen=True):
    """A figure on gold, and where it lies with the asked certainty."""

    estimate: float
    low: float
    high: float


class Figures(msgspec.Struct, frozen=True):
    """Weighted and macro F1, or what they differ by."""

    weighted: Interval
    macro: Interval


def intervals(
    truth: Sequence[str],
    runs: Sequence[GoldAnswers],
    *,
    certainty: float = 0.95,
    samples: int | None = None,
    seed: int = 0,
) -> Figures:
    """F1 with intervals: of one list of answers, or the mean over several, such as one for each seed of a training.

    Each list has shape [reviews]; None is no answer. `certainty` is two-sided. Raises ValueError without reviews or
    lists, and for lists of another length.
    """
    drawn = resample(truth, runs, samples=samples or draws(certainty), seed=seed).mean(axis=1)
    return _figures(_estimates(truth, runs), drawn, certainty)


def differences(
    truth: Sequence[str],
    before: Sequence[GoldAnswers],
    after: Sequence[GoldAnswers],
    *,
    certainty: float = 0.95,
    seed: int = 0,
) -> Figures:
    """By how much F1 of `after` is above that of `before`, both on the same drawn reviews; otherwise as `intervals`."""
    runs = [*before, *after]
    drawn = resample(truth, runs, samples=draws(certainty), seed=seed)
    split = len(before)
    gained = drawn[:, split:].mean(axis=1) - drawn[:, :split].mean(axis=1)
    return _figures(_estimates(truth, after) - _estimates(truth, before), gained, certainty)


def draws(certainty: float) -> int:
    """How many draws a two-sided interval needs so that its tails are not a matter of luck.

    Raises ValueError for a certainty outside 0..1.
    """
    if not 0.0 < certainty < 1.0:
        raise ValueError(f"certainty: expected a number between 0 and 1, found {certainty}")
    return max(SAMPLES, round(2 * TAIL / (1.0 - certainty)))


def resample(truth: Sequence[str], runs: Sequence[GoldAnswers], *, samples: int, seed: int = 0) -> Float64s:
    """Weighted and macro F1 of every list of answers on every draw: shape [samples, lists, 2].

    Reviews with the same gold and the same answers everywhere are told apart by nothing, so that a draw is a
    multinomial count of such patterns. They are in the order of the names of gold and answers, None last; neither the
    order of the reviews nor the size of a chunk changes a result.
    """
    patterns, counts, names = _patterns(truth, runs)
    marks = _marks(patterns, names)
    shares = counts / counts.sum()
    rng = np.random.default_rng(seed)
    parts, most = [], max(1, CELLS // len(counts))
    for start in range(0, samples, most):
        weights = rng.multinomial(len(truth), shares, size=min(most, samples - start))
        parts.append(_f1(np.asarray(weights @ marks, dtype=np.float64), len(runs), names))
    return np.concatenate(parts)


def _patterns(truth: Sequence[str], runs: Sequence[GoldAnswers]) -> tuple[Int64s, Int64s, int]:
    """The distinct rows of gold and answers as numbers of names, how often each occurs, and how many names."""
    if not truth or not runs:
        raise ValueError(
            f"bootstrap: expected gold reviews and answers, found {len(truth)} reviews and {len(runs)} lists"
        )
    wrong = next((len(run) for run in runs if len(run) != len(truth)), None)
    if wrong is not None:
        raise ValueError(
            f"bootstrap: expected an answer or None for each of {len(truth)} gold reviews, found {wrong}"
        )
    names = sorted({*truth, *(answer for run in runs for answer in run if answer is not None)})
    numbers: dict[str | None, int] = {name: at for at, name in enumerate(names)}
    numbers[None] = len(names)
    rows = np.array([[numbers[name] for name in row] for row in (truth, *runs)], dtype=np.int32).T
    patterns, counts = np.unique(rows, axis=0, return_counts=True)
    return patterns.astype(np.int64), counts, len(names)


def _marks(patterns: Int64s, names: int) -> Any:
    """What one review of each pattern adds: [patterns, names * (1 + 2 * lists)], gold, then answered, then right.

    Sparse: a row has at most one mark in each group of columns, however many names there are.
    """
    truth, answers = patterns[:, :1], patterns[:, 1:]
    lists = answers.shape[1]
    groups = names * np.arange(1 + 2 * lists)
    columns = np.hstack([truth, answers, answers]) + groups
    given = answers < names
    there = np.hstack([np.ones_like(truth, dtype=bool), given, given & (answers == truth)])
    rows, _ = np.nonzero(there)
    shape = (len(patterns), names * len(groups))
    return csr_array((np.ones(len(rows)), (rows, columns[there])), shape=shape)


def _f1(totals: Float64s, lists: int, names: int) -> Float64s:
    """Weighted and macro F1 out of what each draw counts, [draws, names * (1 + 2 * lists)]: [draws, lists, 2]."""
    by_group = totals.reshape(len(totals), 1 + 2 * lists, names)
    gold, answered, right = by_group[:, :1], by_group[:, 1 : 1 + lists], by_group[:, 1 + lists :]
    both = gold + answered
    f1 = 2 * right / np.maximum(both, 1.0)
    figures: Float64s = np.empty((len(totals), lists, 2))
    figures[..., 0] = (f1 * gold).sum(axis=2) / gold.sum(axis=2)
    figures[..., 1] = f1.sum(axis=2) / (both > 0).sum(axis=2)
    return figures


def _estimates(truth: Sequence[str], runs: Sequence[GoldAnswers]) -> Float64s:
    scores = [score(truth, run) for run in runs]
    figures: Float64s = np.array([(one.weighted_f1, one.macro_f1) for one in scores]).mean(axis=0)
    return figures


def _figures(estimates: Float64s, drawn: Float64s, certainty: float) -> Figures:
    tail = (1.0 - certainty) / 2
    # A quantile between two draws goes outwards, so that few draws never make an interval narrower.
    low = np.quantile(drawn, tail, axis=0, method="lower")
    high = np.quantile(drawn, 1.0 - tail, axis=0, method="higher")
    both = [Interval(*map(float, row)) for row in zip(estimates, low, high, strict=True)]
    return Figures(*both)
