"""The numbers of a run that are put together from several rows of the store."""

from __future__ import annotations

import pytest

from scripts.labelling.report.summary import StageRow
from scripts.labelling.run_summary import by_stages, earlier_in_words, mean_confidence
from shared.store.reports.overview import CategoryCount, StageCount


def count(status: str, reviews: int, mean: float | None) -> CategoryCount:
    return CategoryCount(category="shoes", status=status, count=reviews, mean_confidence=mean)


def test_labels_of_people_do_not_lower_the_mean_confidence() -> None:
    rows = [count("accepted", 53, 0.9), count("accepted", 1, 0.36), count("human", 93, None)]
    assert mean_confidence(rows) == pytest.approx((53 * 0.9 + 0.36) / 54)


def test_where_only_people_have_judged_there_is_no_mean() -> None:
    assert mean_confidence([count("human", 3, None)]) is None
    assert mean_confidence([]) is None


def test_labels_of_earlier_runs_are_told_by_stage_with_those_that_wait_for_people() -> None:
    counts = [
        StageCount("keywords", "accepted", 223),
        StageCount("keywords", "needs_review", 147),
        StageCount(None, "needs_review", 8),
    ]
    assert earlier_in_words(counts) == (
        "378 reviews had been judged by earlier runs, and no stage saw them now: keywords 223, 155 needs review"
    )
    assert earlier_in_words([]) == ""


def test_a_certificate_of_stages_is_not_shown_of_labels_that_none_of_them_gave() -> None:
    idle = [StageRow(stage="keywords", seen=3)]
    elsewhere = [StageCount("imported", "accepted", 9), StageCount("keywords", "needs_review", 1)]
    assert not by_stages(idle, elsewhere)
    assert by_stages([StageRow(stage="keywords", seen=3, kept=1)], elsewhere)
    assert by_stages(idle, [StageCount("keywords", "accepted", 1)])
