"""Forms of Russian words, and the way back."""

from __future__ import annotations

from shared.text.morphology import base, forms


def test_a_word_is_found_again_by_the_entry_of_its_dictionary_form() -> None:
    assert base("Сухариками") == "сухарик"
    assert base("пришёл") == "прийти"
    assert base("часы") == "часы"
    assert base("xxl") == "xxl"
    for word in ("сухариками", "пришел", "часов", "красивое", "мне"):
        assert word in forms(base(word))
