"""Slugs out of Russian names: small Latin letters, valid, and each once."""

from __future__ import annotations

import re

from shared.taxonomy.transliteration import slug, unique_slugs

VALID = re.compile(r"[a-z][a-z0-9_]{0,63}")


def test_every_russian_letter_has_a_spelling() -> None:
    assert slug("Щётки, ёж и подъезд") == "shchetki_ezh_i_podezd"
    assert slug("абвгдежзийклмнопрстуфхцчшщъыьэюя") == "abvgdezhziyklmnoprstufkhtschshshchyeyuya"


def test_a_slug_is_valid_whatever_the_name() -> None:
    for name in ("2 в 1", "", "!!!", "ь", "очень " * 40, "日本", "iPhone 15", "_х_"):
        assert VALID.fullmatch(slug(name)), name


def test_names_that_would_share_a_slug_get_numbers() -> None:
    assert unique_slugs(["Кот", "кот!", "other"], taken=["other"]) == ["kot", "kot_2", "other_2"]
    long = unique_slugs(["ж" * 60] * 3)
    assert len(set(long)) == 3
    assert all(VALID.fullmatch(name) for name in long)
