"""Labels that no stage gave: people's, and those of somebody else's method."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from shared.reviews.review import Review
from shared.store import Database, labels, places
from shared.store.labels import Label
from shared.store.postgres.recordset import recordset
from tests.support.stored import ask, review

LABELS = "SELECT category, confidence, stage, status FROM labels ORDER BY review_id"
BY_A_STAGE = ("shoes", 0.5, "keywords", "accepted")
BY_OTHERS = ("clothes", 0.25, "others", "accepted")
BY_A_PERSON = ("shoes", None, None, "human")


@pytest.fixture
def number(database: Database, taxonomy: int, take: Callable[[Review], object]) -> int:
    """A review that a stage has labelled."""
    take(review("1", "туфли"))
    ((number,),) = ask(database, "SELECT id FROM reviews")
    with database.transaction() as cursor:
        held = places.hold(cursor, [number], taxonomy)
        labels.settle(cursor, [Label(number, 1, "shoes", 0.5, "keywords", "accepted")], taxonomy, held)
    return int(number)


def by_others(database: Database, taxonomy: int, number: int, revision: int = 1) -> None:
    with database.transaction() as cursor:
        labels.settle_from_outside(cursor, [(number, revision, "clothes", 0.25)], taxonomy, "others")


def by_a_person(database: Database, taxonomy: int, number: int, revision: int = 1) -> None:
    with database.transaction() as cursor:
        labels.settle_by_people(cursor, [(number, revision, "shoes")], taxonomy)


def test_others_replace_a_stage_and_a_person_replaces_them(
    database: Database, taxonomy: int, number: int
) -> None:
    assert ask(database, LABELS) == [BY_A_STAGE]
    by_others(database, taxonomy, number)
    assert ask(database, LABELS) == [BY_OTHERS]
    by_a_person(database, taxonomy, number)
    assert ask(database, LABELS) == [BY_A_PERSON]


def test_others_do_not_replace_a_person(database: Database, taxonomy: int, number: int) -> None:
    by_a_person(database, taxonomy, number)
    by_others(database, taxonomy, number)
    assert ask(database, LABELS) == [BY_A_PERSON]


@pytest.mark.parametrize("give", [by_others, by_a_person])
def test_the_same_label_again_changes_no_row(
    database: Database, taxonomy: int, number: int, give: Callable[[Database, int, int], None]
) -> None:
    give(database, taxonomy, number)
    row = "SELECT xmin::text, ctid::text FROM labels"
    before = ask(database, row)
    give(database, taxonomy, number)
    assert ask(database, row) == before


@pytest.mark.parametrize("give", [by_others, by_a_person])
def test_a_label_of_an_older_text_replaces_none_of_the_present_one(
    database: Database, taxonomy: int, number: int, give: Callable[[Database, int, int, int], None]
) -> None:
    give(database, taxonomy, number, 0)
    assert ask(database, LABELS) == [BY_A_STAGE]


@pytest.mark.parametrize("give", [by_others, by_a_person])
def test_a_review_with_a_given_label_waits_for_no_stage(
    database: Database,
    taxonomy: int,
    take: Callable[[Review], object],
    give: Callable[[Database, int, int], None],
) -> None:
    take(review("2", "очки"))
    ((number,),) = ask(database, "SELECT review_id FROM waiting")
    give(database, taxonomy, number)
    assert ask(database, "SELECT count(*) FROM waiting") == [(0,)]


def test_many_given_labels_are_written_in_several_statements(
    database: Database, taxonomy: int, take: Callable[[Review], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for all of a file would outlast the time limit of a statement."""
    for name in "12345":
        take(review(name, "очки"))
    ids = [number for (number,) in ask(database, "SELECT id FROM reviews")]
    sizes: list[int] = []

    def spied(rows: Sequence[Label]) -> str:
        sizes.append(len(rows))
        return recordset(rows)

    monkeypatch.setattr(labels, "PAGE", 2)
    monkeypatch.setattr(labels, "recordset", spied)
    with database.transaction() as cursor:
        labels.settle_from_outside(
            cursor, [(number, 1, "clothes", 0.25) for number in ids], taxonomy, "others"
        )
    assert sizes == [2, 2, 1]
    assert ask(database, LABELS) == [BY_OTHERS] * 5
