"""Precision, coverage and F1, against figures worked out by hand."""

from __future__ import annotations

import math
import random

import pytest

from shared.quality.evaluation import CategoryScore, score

GOLD = ["shoes"] * 5 + ["clothes"] * 3 + ["none"] * 2
ANSWERS = ["shoes", "shoes", "shoes", "clothes", None, "clothes", "clothes", None, "shoes", None]


def test_totals_are_counted_by_hand():
    result = score(GOLD, ANSWERS)
    assert (result.total, result.answered, result.right) == (10, 7, 5)
    assert math.isclose(result.precision, 5 / 7)
    assert math.isclose(result.coverage, 7 / 10)
    assert math.isclose(result.accuracy, 5 / 10)


def test_categories_are_counted_by_hand_and_the_most_frequent_comes_first():
    assert score(GOLD, ANSWERS).categories == (
        CategoryScore("shoes", gold=5, answered=4, right=3),
        CategoryScore("clothes", gold=3, answered=3, right=2),
        CategoryScore("none", gold=2, answered=0, right=0),
    )


def test_precision_recall_and_f1_of_a_category_are_worked_out_by_hand():
    shoes, clothes, none = score(GOLD, ANSWERS).categories
    assert (shoes.precision, shoes.recall) == (3 / 4, 3 / 5)
    assert math.isclose(shoes.f1, 2 * (3 / 4) * (3 / 5) / (3 / 4 + 3 / 5))
    assert (clothes.precision, clothes.recall) == (2 / 3, 2 / 3)
    assert math.isclose(clothes.f1, 2 / 3)
    assert (none.precision, none.recall, none.f1) == (0, 0, 0)


def test_macro_and_weighted_f1_are_worked_out_by_hand():
    result = score(GOLD, ANSWERS)
    assert math.isclose(result.macro_f1, (2 / 3 + 2 / 3 + 0) / 3)
    assert math.isclose(result.weighted_f1, (5 * 2 / 3 + 3 * 2 / 3 + 2 * 0) / 10)


def test_the_example_of_scikit_learns_handbook_gives_its_figures():
    gold = ["cat", "dog", "pig", "cat", "dog", "pig"]
    answers = ["cat", "pig", "dog", "cat", "cat", "dog"]
    result = score(gold, answers)
    by_name = {row.category: (row.precision, row.recall, row.f1) for row in result.categories}
    assert by_name == {"cat": (2 / 3, 1.0, 0.8), "dog": (0, 0, 0), "pig": (0, 0, 0)}
    assert math.isclose(result.macro_f1, 0.8 / 3)
    assert math.isclose(result.weighted_f1, 0.8 * 2 / 6)


def test_a_category_that_is_only_answered_counts_in_macro_f1_and_not_in_weighted_f1():
    result = score(["shoes", "shoes"], ["shoes", "toys"])
    assert [row.category for row in result.categories] == ["shoes", "toys"]
    assert math.isclose(result.macro_f1, (2 / 3 + 0) / 2)
    assert math.isclose(result.weighted_f1, 2 / 3)


def test_right_answers_everywhere_give_one():
    result = score(GOLD, GOLD)
    figures = (result.precision, result.coverage, result.accuracy, result.macro_f1, result.weighted_f1)
    assert figures == pytest.approx((1, 1, 1, 1, 1))


def test_no_answer_at_all_gives_zero_and_divides_by_nothing():
    result = score(GOLD, [None] * len(GOLD))
    assert (result.precision, result.coverage, result.macro_f1, result.weighted_f1) == (0, 0, 0, 0)


def test_no_reviews_give_zero_and_divide_by_nothing():
    result = score([], [])
    assert (result.total, result.precision, result.coverage, result.accuracy) == (0, 0, 0, 0)
    assert (result.macro_f1, result.weighted_f1, result.categories) == (0, 0, ())


def test_categories_of_equal_frequency_come_in_the_order_of_the_alphabet():
    assert [row.category for row in score(["b", "a"], ["b", "c"]).categories] == ["a", "b", "c"]


def test_lists_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        score(["shoes", "shoes"], ["shoes"])


def test_no_figure_depends_on_the_order_of_the_reviews():
    pairs = list(zip(GOLD, ANSWERS, strict=True))
    random.Random(1).shuffle(pairs)
    assert score([gold for gold, _ in pairs], [answer for _, answer in pairs]) == score(GOLD, ANSWERS)
