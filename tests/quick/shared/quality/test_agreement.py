"""Several answers about one review: of one person the newest, of several what more than half of them name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.quality.agreement import Opinion, agreed, newest, settled

DAY = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"at": DAY.replace(hour=1), "number": 9}, {"at": DAY.replace(hour=2), "number": 3}),
        ({"at": DAY, "number": 3}, {"at": DAY, "number": 9}),
        ({"number": 3}, {"number": 9}),
        ({"at": DAY, "number": 3}, {"number": 9}),
    ],
)
def test_of_one_persons_answers_the_newest_counts_wherever_it_stands(older, newer, turned):
    answers = [Opinion(2, "anna", ("shoes",), **older), Opinion(3, "anna", ("clothes",), **newer)]
    found = newest(answers[::-1] if turned else answers)
    assert found is not None
    assert found.categories == ("clothes",)


def test_different_answers_of_one_person_without_an_order_have_no_newest():
    assert newest([Opinion(2, "anna", ("shoes",)), Opinion(3, "anna", ("clothes",))]) is None
    assert newest([Opinion(2, "anna", ("shoes",), DAY), Opinion(3, "anna", ("clothes",), DAY)]) is None
    assert newest([Opinion(2, "anna", ("shoes",)), Opinion(3, "anna", ("shoes",))]) is not None


@pytest.mark.parametrize(
    ("people", "category"),
    [
        ([("shoes",)], "shoes"),
        ([("shoes",), ("clothes",)], None),
        ([("shoes",), ("clothes",), ("clothes",)], "clothes"),
        ([("shoes",), ("clothes",), ("toys",)], None),
        ([("shoes", "clothes")], None),
        ([("shoes", "clothes"), ("shoes",)], "shoes"),
        ([("shoes", "clothes"), ("toys", "clothes")], "clothes"),
        ([("shoes", "clothes"), ("clothes", "shoes")], None),
    ],
)
def test_what_more_than_half_of_the_people_name_counts_in_any_order(people, category):
    assert settled(people) == category
    assert settled(people[::-1]) == category


def test_people_agree_where_each_names_one_category_and_the_same():
    assert agreed([("shoes",), ("shoes",)])
    assert not agreed([("shoes",), ("clothes",)])
    assert not agreed([("shoes", "clothes"), ("shoes", "clothes")])
