"""Whom a dear stage is asked about: for worth and at random, by properties of the order."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.encoders.encoder import unit
from shared.quality import asking
from shared.quality.asking import Pool, choose, worth

LABELS = {"clothes": 50, "shoes": 50}


def pool(confidences: list[float], vectors: NDArray[np.float32] | None = None, category="clothes") -> Pool:
    """Reviews with a guess each; without vectors each is like no other."""
    n = len(confidences)
    apart = np.eye(n, dtype=np.float32)
    guesses = [None if np.isnan(one) else category for one in confidences]
    return Pool(guesses, np.array(confidences), apart if vectors is None else vectors)


def some(n: int, seed: int = 0) -> Pool:
    """Reviews of all confidences, all a little alike."""
    draw = np.random.default_rng(seed)
    vectors = unit(draw.normal(0.2, 1.0, (n, 50)).astype(np.float32))
    return Pool([["clothes", "shoes", None][at % 3] for at in range(n)], draw.random(n), vectors)


def test_what_the_guess_is_least_sure_of_comes_first():
    chosen = choose(pool([0.9, 0.3, 0.6, 0.99]), 4, LABELS, share=0.0)
    assert chosen.order.tolist() == [1, 2, 0, 3]
    assert not chosen.at_random.any()


def test_a_review_that_nobody_has_a_guess_for_is_worth_more_than_any_guess():
    values = worth(pool([0.2, np.nan, 0.5]), LABELS)
    assert values.argmax() == 1


def test_of_two_equally_unsure_reviews_the_one_with_many_alike_comes_first():
    alike = unit(np.random.default_rng(0).normal(1.0, 0.5, (20, 30)).astype(np.float32))
    odd = unit(np.random.default_rng(1).normal(-1.0, 0.5, (1, 30)).astype(np.float32))
    values = worth(pool([0.5] * 21, np.vstack([odd, alike])), LABELS)
    assert values.argmin() == 0


def test_a_category_with_few_labels_is_asked_about_before_one_with_many():
    guesses = Pool(["clothes", "shoes", "hats"], np.full(3, 0.5), np.eye(3, dtype=np.float32))
    values = worth(guesses, {"clothes": 1_000, "shoes": 10})
    assert values[0] < values[1] < values[2], "hats have no label yet"


def test_a_certified_category_is_asked_about_last():
    guesses = Pool(["clothes", "shoes"], np.full(2, 0.5), np.eye(2, dtype=np.float32))
    clothes, shoes = worth(guesses, LABELS, certified=["clothes"])
    assert clothes < shoes


def test_the_share_of_places_is_random_and_any_beginning_of_the_order_has_it():
    chosen = choose(some(500), 100, LABELS, seed=3)
    assert chosen.at_random.sum() == 20
    assert chosen.probability == 20 / 500
    for asked in range(1, 101):
        assert chosen.at_random[:asked].sum() >= 0.2 * asked - 1e-9
        assert chosen.at_random[:asked].sum() <= 0.2 * asked + 1


def test_every_review_is_drawn_at_random_with_the_probability_that_is_told():
    waiting, times, draws = some(40), np.zeros(40), 2_000
    for seed in range(draws):
        chosen = choose(waiting, 10, LABELS, seed=seed)
        times[chosen.order[chosen.at_random]] += 1
    assert chosen.probability == 2 / 40
    error = np.sqrt(chosen.probability * (1 - chosen.probability) / draws)
    assert np.abs(times / draws - chosen.probability).max() < 4.5 * error


def test_the_first_to_be_asked_is_drawn_like_all_others_whatever_its_worth():
    waiting = pool([0.01] * 10 + [0.999] * 30)
    first = [int(choose(waiting, 5, LABELS, seed=seed).order[0]) for seed in range(400)]
    assert 0.65 < np.mean(np.array(first) >= 10) < 0.85


def test_what_holds_for_the_random_ones_holds_for_all_that_wait():
    """The mean over the drawn, each weighed by the inverse of its probability, is the mean of the pool."""
    waiting = some(300)
    means = []
    for seed in range(400):
        chosen = choose(waiting, 50, LABELS, seed=seed)
        drawn = waiting.confidences[chosen.order[chosen.at_random]]
        means.append((drawn / chosen.probability).sum() / 300)
    assert np.mean(means) == pytest.approx(waiting.confidences.mean(), abs=0.02)


def test_never_only_the_doubtful_ones():
    waiting = pool([0.1] * 50 + [0.95] * 150)
    chosen = choose(waiting, 50, LABELS)
    assert (waiting.confidences[chosen.order] > 0.9).sum() >= 3
    assert choose(waiting, 1, LABELS).at_random.all(), "one place alone is a random one"


def test_near_duplicates_are_not_asked_together_however_unsure():
    draw = np.random.default_rng(0)
    twenty = unit(draw.normal(0, 1, (20, 60)).astype(np.float32))
    copies = unit(np.repeat(twenty, 10, axis=0) + draw.normal(0, 0.005, (200, 60)).astype(np.float32))
    waiting = pool(np.linspace(0.1, 0.9, 200).tolist(), copies)
    order = choose(waiting, 20, LABELS, share=0.0).order
    assert {int(at) // 10 for at in order} == set(range(20)), "one of each"


def test_a_review_that_is_like_a_random_one_waits_as_well():
    copies = np.repeat(np.eye(2, dtype=np.float32), [99, 1], axis=0)
    chosen = choose(pool([0.5] * 100, copies), 2, LABELS, share=0.5, seed=1)
    assert chosen.order[0] != 99
    assert chosen.order[1] == 99


def test_where_all_are_alike_the_surest_come_last_and_nobody_is_left_out():
    order = choose(pool([0.3, 0.2, 0.1], np.ones((3, 1), np.float32)), 3, LABELS, share=0.0).order
    assert order.tolist() == [2, 1, 0]


def test_texts_of_which_nothing_is_known_are_alike():
    blank = np.vstack([np.zeros((5, 6), np.float32), np.eye(6, dtype=np.float32)])
    order = choose(pool([0.1] * 5 + [0.5] * 6, blank), 7, LABELS, share=0.0).order
    assert sum(order < 5) == 1


@pytest.mark.parametrize("wanted", [0, 1, 7, 150, 300, 1_000])
def test_each_review_is_asked_about_once_and_no_more_than_wanted(wanted: int, monkeypatch):
    monkeypatch.setattr(asking, "PORTION", 40)
    monkeypatch.setattr(asking, "BLOCK", 16)
    order = choose(some(300), wanted, LABELS).order
    assert len(order) == len({*order.tolist()}) == min(wanted, 300)


def test_nobody_waits():
    chosen = choose(Pool([], np.empty(0), np.empty((0, 300), np.float32)), 10, {})
    assert len(chosen.order) == 0
    assert chosen.probability == 0.0


def test_all_are_drawn_at_random_while_nobody_has_guessed_anything():
    chosen = choose(pool([float("nan")] * 20), 5, {})
    assert chosen.at_random.all()
    assert chosen.probability == 5 / 20


def test_the_same_seed_gives_the_same_order_and_another_seed_other_random_ones():
    waiting = some(300)
    one, again, other = (choose(waiting, 100, LABELS, seed=seed) for seed in (1, 1, 2))
    assert one.order.tolist() == again.order.tolist()
    assert {*one.order[one.at_random].tolist()} != {*other.order[other.at_random].tolist()}


def test_the_size_of_portions_and_blocks_changes_only_who_is_kept_apart(monkeypatch):
    waiting = some(300)
    whole = choose(waiting, 120, LABELS).order.tolist()
    monkeypatch.setattr(asking, "BLOCK", 7)
    assert choose(waiting, 120, LABELS).order.tolist() == whole
