"""What `otzyv status` says of labels."""

from __future__ import annotations

from rich.console import Console

from scripts.language import language
from scripts.service.status import failure_line, label_table, prediction_line
from shared.settings import load
from shared.store.reports.overview import StageCount


def test_labels_of_people_are_theirs_and_no_guess_is_one_that_nobody_made() -> None:
    found = [
        StageCount("keywords", "accepted", 50),
        StageCount("people", "human", 40),
        StageCount(None, "needs_review", 10),
    ]
    console = Console(width=100)
    with console.capture() as shown:
        console.print(label_table(load(), found))
    lines = {line.split("  ")[0].strip(): line.split() for line in shown.get().splitlines()}
    assert lines["people"][-2:] == ["40", "40.0%"]
    assert lines["no guess"][-3:] == ["10", "0", "10.0%"]
    assert lines["keywords"][-4:] == ["50", "0", "0", "50.0%"]


def test_in_russian_a_number_of_reviews_decides_the_form_of_its_sentence() -> None:
    with language.speaking("ru"):
        assert prediction_line(1, 3) == "предсказания: ждёт 1 отзыв; действует модель 3"
        assert prediction_line(22, 3) == "предсказания: ждут 22 отзыва; действует модель 3"
        assert prediction_line(11, None).startswith("предсказания: ждут 11 отзывов; действующей модели нет")
        assert (
            failure_line(2, 8_297)
            == "неудачи: на ступенях 2, отвергнуто на входе 8\N{NARROW NO-BREAK SPACE}297"
        )
    assert prediction_line(1, 3) == "predictions: 1 review awaits one; champion is model 3"
