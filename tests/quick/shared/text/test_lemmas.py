"""Dictionary forms: of several readings the one that the texts support; and which word a diminutive was made of."""

from __future__ import annotations

from shared.text.diminutives import bases
from shared.text.lemmas import Lemma, lemmas
from shared.text.morphology import plural


def test_a_form_of_two_words_goes_to_the_one_whose_other_forms_occur() -> None:
    words = ["носки", "носков", "носок", "села", "сели", "сел"]
    found = lemmas(words, [5, 3, 1, 4, 3, 2]).of
    assert found == [Lemma("носок", "NOUN")] * 3 + [Lemma("сесть", "VERB")] * 3


def test_a_thing_goes_before_a_living_being_and_a_name() -> None:
    assert lemmas(["синтетика", "синтетикой"], [9, 2]).of[0] == Lemma("синтетика", "NOUN")
    assert lemmas(["майка", "майку"], [5, 5]).of[0] == Lemma("майка", "NOUN")


def test_latin_words_are_marked_and_unknown_ones_tell_nothing() -> None:
    assert lemmas(["iphone", "ыыъпкх"], [1, 1]).of == [Lemma("iphone", "LATN"), Lemma("ыыъпкх", "")]


def test_a_noun_is_mostly_plural_where_its_clear_forms_are() -> None:
    found = lemmas(["кружками", "кружкам", "кружку"], [6, 3, 1])
    kruzhka = found.of[0]
    assert found.mostly_plural(kruzhka, 0.9)
    assert not found.mostly_plural(kruzhka, 0.95)


def test_a_plural_is_made_of_a_noun_that_has_one() -> None:
    assert [plural(noun) for noun in ("кружка", "часы", "xyz")] == ["кружки", "часы", "xyz"]


def test_a_diminutive_is_led_back_to_its_word() -> None:
    others = ["куртка", "юбка", "тарелка", "штаны", "носок", "кружево"]
    small = ["курточка", "юбочка", "тарелочка", "штанишки", "носочек", "кружка", "куртка"]
    assert bases(small, others) == {
        "курточка": "куртка",
        "юбочка": "юбка",
        "тарелочка": "тарелка",
        "штанишки": "штаны",
        "носочек": "носок",
    }
