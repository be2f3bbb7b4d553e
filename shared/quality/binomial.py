"""Bounds of a share that is known from a sample, after Clopper and Pearson (Biometrika 26, 1934)."""

from __future__ import annotations


def at_least(count: float, total: float, risk: float) -> float:
    """The share of the whole, 0..1, that is exceeded with probability 1 - risk, given `count` of `total`."""
    return _quantile(count, total - count + 1, risk) if count > 0 else 0.0


def at_most(count: float, total: float, risk: float) -> float:
    """The share of the whole, 0..1, that is not reached with probability 1 - risk, given `count` of `total`."""
    return _quantile(count + 1, total - count, 1 - risk) if count < total else 1.0


def _quantile(a: float, b: float, probability: float) -> float:
    """Of the beta distribution."""
    # Every worker imports what imports this, and few ever ask: SciPy takes 0.2 s and 18 MiB.
    from scipy.special import betaincinv

    return float(betaincinv(a, b, probability))
