"""Vectors of words: half of what they mean in general, half of what stands beside them in these reviews.

Word vectors learned elsewhere know that a blouse is like a shirt, but not that here a кейс charges headphones. The
second half are rows of positive pointwise mutual information, with context distributions smoothed by the power of 0.75
and reduced to a few dimensions by singular values (Levy, Goldberg, Dagan: Improving Distributional Similarity with
Lessons Learned from Word Embeddings, TACL 2015).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shared.taxonomy.drafting.mentions import FloatRows, Mentions, WordNumbers
from shared.taxonomy.drafting.subjects import Nouns, least_reviews

MOST_CONTEXTS: Final = 2_000
DIMENSIONS: Final = 100
SMOOTHING: Final = 0.75


def word_rows(mentions: Mentions, nouns: Nouns) -> FloatRows:
    """A row of length 1 for each noun: its general vector beside its contexts' vector, of equal length.

    What all the nouns have in common is taken off first, or those with weak vectors of their own would all be alike.
    """
    halves = (nouns.rows, context_rows(mentions, nouns.numbers))
    return unit_rows(np.hstack([unit_rows(centred(half)) for half in halves]))


def centred(rows: FloatRows) -> FloatRows:
    """Rows less their mean. Rows of zeros, of words without a vector, stay as they are."""
    known = rows.any(axis=1)
    moved = rows.copy()
    moved[known] -= rows[known].mean(axis=0) if known.any() else 0.0
    return moved


def context_rows(mentions: Mentions, words: WordNumbers) -> FloatRows:
    """A row of length 1 for each word by what it occurs with, shape [words, at most DIMENSIONS]."""
    order = np.argsort(-mentions.counts, kind="stable")[:MOST_CONTEXTS]
    contexts = order[mentions.counts[order] >= least_reviews(mentions)]
    counts = mentions.together(words, contexts).astype(np.float64)
    counts[words[:, None] == contexts[None, :]] = 0.0
    smoothed = np.maximum(counts.sum(axis=0), 1.0) ** SMOOTHING
    expected = np.outer(counts.sum(axis=1), smoothed / smoothed.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.where(counts > 0, np.log(counts / expected), 0.0)
    left, values, _ = np.linalg.svd(np.maximum(information, 0.0), full_matrices=False)
    return unit_rows(left[:, :DIMENSIONS] * np.sqrt(values[:DIMENSIONS]))


def unit_rows(rows: FloatRows) -> FloatRows:
    """Rows scaled to length 1; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
