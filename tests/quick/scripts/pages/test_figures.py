"""Numbers for people, as English and as Russian write them."""

from __future__ import annotations

import pytest

from scripts.language import language
from scripts.pages import figures

THIN = "\N{NARROW NO-BREAK SPACE}"


@pytest.fixture
def _russian():
    language.use("ru")
    yield
    language.use("en")


ENGLISH = {
    figures.count: {8297: "8 297"},
    figures.percent: {0: "0%", 0.00004: "< 0.1%", 0.5563: "55.6%", 0.99999: "> 99.9%", 1: "100%"},
    figures.confidence: {None: "–", 0.975: "0.97"},
    figures.duration: {0.84: "0.84 s", 12.34: "12.3 s", 245: "4 min 05 s", 7380: "2 h 03 min"},
    figures.rate: {4.26: "4.3", 4046.4: "4 046"},
}
RUSSIAN = {
    figures.count: {8297: "8 297"},
    figures.percent: {0: "0 %", 0.00004: "< 0,1 %", 0.5563: "55,6 %", 0.99999: "> 99,9 %", 1: "100 %"},
    figures.confidence: {None: "–", 0.975: "0,97"},
    figures.duration: {0.84: "0,84 с", 12.34: "12,3 с", 245: "4 мин 05 с", 7380: "2 ч 03 мин"},
    figures.rate: {4.26: "4,3", 4046.4: "4 046"},
}


def told(expected):
    return [(form, value, said) for form, cases in expected.items() for value, said in cases.items()]


@pytest.mark.parametrize(("form", "value", "said"), told(ENGLISH))
def test_a_number_in_english(form, value, said):
    assert form(value).replace(THIN, " ") == said


@pytest.mark.usefixtures("_russian")
@pytest.mark.parametrize(("form", "value", "said"), told(RUSSIAN))
def test_a_number_in_russian(form, value, said):
    assert form(value).replace(THIN, " ") == said
