"""Which stored labels teach: people's and those of stages other than keywords, without gold that measures."""

from __future__ import annotations

from collections.abc import Callable

from shared.reviews.review import Review
from shared.store import Database, gold, labels
from shared.store.gold import GoldAnswer
from shared.store.reviews import newest_texts
from tests.support.stored import ask, review


def test_people_and_other_stages_teach_and_nothing_teaches_in_a_circle(
    database: Database, taxonomy: int, take: Callable[..., object]
) -> None:
    names = ("people", "llm", "others", "keywords", "student", "measured")
    reviews: list[Review] = [review(name, f"отзыв {name}") for name in names]
    take(*reviews)
    numbers = dict(ask(database, "SELECT external_id, id FROM reviews"))
    with database.transaction() as cursor:
        for name in ("llm", "others", "keywords", "student"):
            labels.settle_from_outside(cursor, [(numbers[name], 1, "shoes", 0.9)], taxonomy, name)
        people = [(numbers[name], 1, "toys") for name in ("people", "measured")]
        labels.settle_by_people(cursor, people, taxonomy)
        gold.record(cursor, [GoldAnswer(numbers["measured"], 1, "toys", "people")], taxonomy)
        found = labels.teaching(cursor, taxonomy)
        newest = newest_texts(cursor, 2)
    assert sorted((one.text, one.category) for one in found) == [
        ("отзыв llm", "shoes"),
        ("отзыв others", "shoes"),
        ("отзыв people", "toys"),
    ]
    assert newest == [text for (text,) in ask(database, "SELECT text FROM reviews ORDER BY id")][-2:]


def test_a_label_of_a_text_that_has_been_replaced_teaches_nothing(
    database: Database, taxonomy: int, take: Callable[..., object]
) -> None:
    take(review("1", "туфли"))
    ((number,),) = ask(database, "SELECT id FROM reviews")
    with database.transaction() as cursor:
        labels.settle_by_people(cursor, [(number, 1, "shoes")], taxonomy)
    take(review("1", "мяч"))
    with database.transaction() as cursor:
        assert labels.teaching(cursor, taxonomy) == []
