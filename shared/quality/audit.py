"""Samples of labels for people to check, and what their answers say about all labels: pure functions.

Labels are drawn stratum by stratum, so every one has a known probability of being drawn and rare categories are
looked at too. Estimates weigh each answer by the inverse of that probability (Horvitz and Thompson, JASA 47, 1952; as
a ratio, Hájek 1971).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from shared.quality import binomial

CERTAINTY = 0.95

Stratum = tuple[str | None, str | None, str]
"""Stage, category and status of labels; `ANY` for a category stands for all of them."""
ANY = "*"


EVERY: Stratum = (ANY, ANY, ANY)
"""All labels as one stratum: a plain sample, of which every label is as likely to be in as any other."""


def strata(sizes: Mapping[Stratum, int], wanted: int) -> dict[Stratum, int]:
    """Strata with their sizes, coarse enough for `wanted` draws to reach each: categories are merged if need be.

    Raises ValueError when there are fewer draws than pairs of stage and status.
    """
    if len(sizes) <= wanted:
        return dict(sizes)
    merged: Counter[Stratum] = Counter()
    for (stage, _, status), size in sizes.items():
        merged[stage, ANY, status] += size
    if len(merged) > wanted:
        raise ValueError(
            f"expected at least {len(merged)} labels to draw, one for each stage and status, found {wanted}"
        )
    return merged


def allocate(sizes: Mapping[Stratum, int], wanted: int) -> dict[Stratum, int]:
    """How many to draw of each stratum: one of each, the rest in proportion to size, by largest remainders.

    Never more than there are. `sizes` has at most `wanted` entries, each at least 1.
    """
    wanted = min(wanted, sum(sizes.values()))
    draws = dict.fromkeys(sizes, 1)
    while (left := wanted - sum(draws.values())) > 0:
        room = {key: size - draws[key] for key, size in sizes.items() if size > draws[key]}
        total = sum(room.values())
        shares = {key: left * size / total for key, size in room.items()}
        whole = {key: int(share) for key, share in shares.items()}
        rest = left - sum(whole.values())
        order = sorted(shares, key=lambda key: (whole[key] - shares[key], str(key)))
        for key in shares:
            draws[key] += min(room[key], whole[key] + (key in order[:rest]))
    return draws


class Checked(msgspec.Struct, frozen=True):
    """One label that a person has looked at, and the probability with which it was drawn."""

    stage: str | None
    category: str
    status: str
    right: bool
    probability: float


class Estimate(msgspec.Struct, frozen=True):
    """The share of right labels in what a sample was drawn from: the estimate and its interval, 0..1."""

    checked: int
    right: int
    share: float
    low: float
    high: float


def estimate(checked: Sequence[Checked], certainty: float = CERTAINTY) -> Estimate | None:
    """The share of right labels, or None without any answer.

    The share is weighted by 1/probability. The interval is Clopper and Pearson's with the effective sample size
    n_eff = (sum w)^2 / sum w^2 (Kish 1965), after Korn and Graubard, Survey Methodology 24, 1998: it holds for small
    samples and for shares near one, where normal intervals do not.
    """
    if not checked:
        return None
    weights = [1 / one.probability for one in checked]
    share = sum(w for w, one in zip(weights, checked, strict=True) if one.right) / sum(weights)
    size = sum(weights) ** 2 / sum(w * w for w in weights)
    low, high = interval(share, size, certainty)
    return Estimate(len(checked), sum(one.right for one in checked), share, low, high)


def interval(share: float, size: float, certainty: float = CERTAINTY) -> tuple[float, float]:
    """Clopper and Pearson's interval for a share of a sample of `size`, which need not be whole."""
    right, tail = share * size, (1 - certainty) / 2
    return binomial.at_least(right, size, tail), binomial.at_most(right, size, tail)
