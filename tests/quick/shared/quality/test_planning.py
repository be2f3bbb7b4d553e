"""What a sample says about a whole file."""

from __future__ import annotations

import pytest

from shared.quality.planning import Reservoir, SampleShare


def sample(size: int, total: int, seed: int) -> list[int]:
    reservoir = Reservoir[int](size, seed)
    for item in range(total):
        reservoir.add(item)
    return reservoir.items


def test_the_same_seed_draws_the_same_sample():
    assert sample(5, 1_000, 7) == sample(5, 1_000, 7) != sample(5, 1_000, 8)


def test_every_row_is_as_likely_as_any_other():
    counts = [0] * 10
    for seed in range(4_000):
        for item in sample(3, 10, seed):
            counts[item] += 1
    # 1,200 expected, standard deviation sqrt(4000 * 0.3 * 0.7) = 29; five of them.
    assert all(abs(count - 1_200) < 145 for count in counts)


def test_a_short_file_is_its_own_sample():
    assert sample(10, 3, 0) == [0, 1, 2]


def test_the_interval_is_the_one_of_the_tables():
    assert SampleShare(5, 10).interval == pytest.approx((0.1871, 0.8129), abs=1e-4)
    assert SampleShare(0, 10).interval == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert SampleShare(0, 0).interval == (0.0, 1.0)
