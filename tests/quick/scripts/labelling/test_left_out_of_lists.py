"""A list that is cut says what it leaves out."""

from __future__ import annotations

from scripts.failures.details import unknown
from scripts.labelling import lesson_report
from scripts.service.dry_run import SHOWN_REVIEWS, Outcome
from shared.learning.effect import Effect, LabelChange
from shared.learning.learning import Lesson
from shared.reviews.wire import decode, encode
from shared.taxonomy import default_taxonomy


def test_a_dry_run_says_how_many_reviews_it_does_not_list(capsys) -> None:
    outcome = Outcome()
    for number in range(18):
        outcome.add(
            decode(encode([{"source": "shop", "id": str(number), "text": "Жмут"}]), max_text_chars=100)
        )
    outcome.tell()
    assert SHOWN_REVIEWS == 10
    assert "reviews that would be stored: 18" in (told := capsys.readouterr().out)
    assert "and 8 other reviews" in told


def test_what_a_lesson_changes_is_told_to_the_end(capsys) -> None:
    lesson = Lesson((), 100, 50, 49, {}, 50, 49, {})
    changes = Effect(100, 50, 60, [LabelChange(None, f"c{at}", at, ["Жмут"]) for at in range(17, 0, -1)])
    lesson_report.show(lesson, [], changes, default_taxonomy())
    assert "and 2 other changes of 3 reviews" in capsys.readouterr().out


def test_of_many_unknown_failures_the_first_are_named_and_the_others_counted() -> None:
    assert "found no failure 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 3 others;" in str(unknown([*range(1, 14)]))
    assert "found no failure 7;" in str(unknown([7]))
