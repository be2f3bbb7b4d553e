"""What commands tell in Russian: forms of what is counted, numbers, and the English of files."""

from __future__ import annotations

import pytest

from scripts.failures.details import since_then
from scripts.failures.kinds import number_of, question
from scripts.labelling.drafting import head
from scripts.labelling.sample import SampledTexts
from scripts.language.language import THIN, speaking
from scripts.pages import figures
from shared.taxonomy.drafting.page import Coverage


@pytest.fixture(autouse=True)
def _russian():
    with speaking("ru"):
        yield


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (1, "1 отзыв, который не смогла обработать ступень"),
        (2, "2 отзыва, которые не смогла обработать ступень"),
        (1_205, f"1{THIN}205 отзывов, которые не смогла обработать ступень"),
    ],
)
def test_failures_are_counted_as_russian_counts(count, told):
    assert number_of("stage", count) == told


def test_a_question_is_asked_in_russian():
    assert question({"rejected": 5}) == "Удалить содержимое 5 записей навсегда?"


@pytest.mark.parametrize(
    ("settled", "told"),
    [
        (None, None),
        ("it has a label, accepted", "у него есть метка, accepted"),
        ("it waits for zero_shot", "он ждёт zero_shot"),
        ("model 12 has predicted it", "его предсказала модель 12"),
        ("its text has been replaced", "его текст заменён"),
    ],
)
def test_what_became_of_a_failure_is_told_in_russian(settled, told):
    assert since_then(settled) == told


def test_figures_have_decimal_commas_and_spaces():
    assert figures.span(0.5, 0.9876) == "0,500–0,988"
    assert figures.whole_percent(0.5) == f"50{THIN}%"
    assert figures.large(12_345.67, 1) == f"12{THIN}345,7"
    assert figures.short(0.123456, 3) == "0,123"


def test_comments_of_a_draft_are_english_with_english_numbers():
    drawn = SampledTexts(4, 4, ["а", "б", "в", "г"])
    lines = head("reviews.csv", drawn, {"": Coverage(1)}, seed=0)
    assert "Its words label 75.0% of them." in lines[0]
