"""The language in use: who asks for it, and how sentences and numbers of things are said in it."""

from __future__ import annotations

import pytest

from scripts.language import language
from scripts.language.language import counted, of, translated


@pytest.fixture(autouse=True)
def _english_afterwards():
    yield
    language.use("en")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "ru_RU.UTF-8"}, "ru"),
        ({"LANG": "ru"}, "ru"),
        ({"LANG": "be_BY.UTF-8"}, "en"),
        ({"LANG": "ru_RU.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "ru_RU.KOI8-R"}, "ru"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": ""}, "ru"),
        ({"LANG": "uk_UA.UTF-8", "LANGUAGE": "uk:ru:en"}, "ru"),
        ({"LANG": "C", "LANGUAGE": "ru"}, "en"),
        ({"LANG": "ru_RU.UTF-8", "OTZYV_LANGUAGE": "en"}, "en"),
        ({"LANG": "C", "OTZYV_LANGUAGE": "ru"}, "ru"),
        ({"LANG": "ru_RU.UTF-8", "OTZYV_LANGUAGE": ""}, "ru"),
    ],
)
def test_the_language_is_what_the_setting_says_or_else_the_locale(environment, expected):
    assert of(environment) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0 отзывов"), (1, "1 отзыв"), (2, "2 отзыва"), (4, "4 отзыва"), (5, "5 отзывов"), (11, "11 отзывов"),
     (12, "12 отзывов"), (21, "21 отзыв"), (22, "22 отзыва"), (25, "25 отзывов"), (111, "111 отзывов"),
     (1001, "1\N{NARROW NO-BREAK SPACE}001 отзыв")],
)  # fmt: skip
def test_a_number_of_reviews_has_the_form_that_russian_asks_for(number, expected):
    language.use("ru")
    assert counted("{number} review", "{number} reviews", number) == expected


def test_in_english_a_sentence_is_the_one_that_stands_in_the_code():
    assert translated("Options") == "Options"
    assert counted("{number} review", "{number} reviews", 1) == "1 review"
    assert counted("{number} review", "{number} reviews", 2) == "2 reviews"
    assert translated("{nobody} knows this", nobody="one") == "one knows this"


def test_a_sentence_without_a_translation_is_said_in_english():
    language.use("ru")
    assert translated("no such sentence") == "no such sentence"
    assert translated("") == ""
