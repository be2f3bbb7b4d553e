"""Over many simulated worlds, no more chains are certified wrongly than the risk allows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.cascade.stage import Verdict
from shared.quality.binomial import at_least
from shared.quality.chain_certificate import Floors, certify_chain

TARGET = 0.95
GOLD = 400
WORLDS = 250
TRUTH = 400_000
"""Reviews by which the true precision of a chain is known to 0.0004."""


class Method(msgspec.Struct, frozen=True):
    """A stage: its default, the share that it answers, and how often its least and its surest answers are right."""

    default: float | None
    answers: float
    low: float
    high: float


HARD = {
    "nothing is good enough": [Method(0.5, 0.7, 0.949, 0.949), Method(None, 1.0, 0.949, 0.949)],
    "a bold default": [Method(0.6, 0.7, 0.90, 1.0), Method(None, 1.0, 0.8, 0.98)],
    "a first stage that is bad": [Method(0.8, 0.9, 0.7, 0.7), Method(0.8, 0.9, 0.93, 0.97)],
    "slack for a bad last stage": [Method(0.5, 0.8, 0.99, 0.99), Method(None, 1.0, 0.5, 0.95)],
    "a first stage that is surest where it is wrong": [Method(0.7, 0.8, 0.97, 0.93), Method(0.9, 1.0, 0.9, 0.97)],
    "a good last stage behind a bad one": [
        Method(0.8, 0.5, 0.97, 0.99), Method(None, 1.0, 0.6, 0.9), Method(0.8, 1.0, 0.93, 0.98),
    ],
}  # fmt: skip


def drawn(
    rng: np.random.Generator, methods: Sequence[Method], size: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores, NaN where a stage abstains, and what is right; shape [stages, size] each."""
    scores, right = [], []
    for one in methods:
        score = rng.uniform(0.5, 1.0, size)
        right.append(rng.random(size) < one.low + (one.high - one.low) * (score - 0.5) * 2)
        scores.append(np.where(rng.random(size) < one.answers, score, np.nan))
    return np.array(scores), np.array(right)


def precision(
    scores: NDArray[np.float64], right: NDArray[np.bool_], thresholds: Sequence[float | None]
) -> float:
    """Of what the first stages at or above their thresholds keep."""
    left = np.ones(scores.shape[1], bool)
    kept = correct = 0
    for score, good, least in zip(scores, right, thresholds, strict=True):
        mine = left & (score >= (np.inf if least is None else least))
        kept, correct, left = kept + mine.sum(), correct + (mine & good).sum(), left & ~mine
    return float(correct / max(1, kept))


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("certainty", [0.95, 0.8])
def test_chains_are_certified_wrongly_no_more_often_than_the_risk(name: str, certainty: float) -> None:
    methods = HARD[name]
    rng = np.random.default_rng(len(name))
    scores, right = drawn(rng, methods, TRUTH)
    true = cache(partial(precision, scores, right))
    names = [f"stage {at}" for at in range(len(methods))]
    defaults = {name: one.default for name, one in zip(names, methods, strict=True)}
    wrong = certified = 0
    for _ in range(WORLDS):
        scores, right = drawn(rng, methods, GOLD)
        verdicts = {
            name: [
                None if np.isnan(score) else Verdict("right" if good else "wrong", float(score))
                for score, good in zip(scores[at], right[at], strict=True)
            ]
            for at, name in enumerate(names)
        }
        found = certify_chain(
            verdicts, ["right"] * GOLD, defaults, TARGET, certainty=certainty, floors=Floors(0.0, 0.0)
        )
        if found.chosen is not None:
            certified += 1
            # Whatever is chosen among the certified ones holds, so that the worst of them is the one to look at.
            wrong += min(true(point.thresholds) for point in found.passed) < TARGET - 0.0005
    print(f"{name}, certainty {certainty}: certified {certified}, wrongly {wrong} of {WORLDS}")
    assert at_least(wrong, WORLDS, 0.001) <= 1 - certainty
