"""Nothing that people are told is without a Russian translation, and the catalogue holds nothing else."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from scripts.language import catalogue
from scripts.language.catalogue import entries
from tests.support.sentences import Sentence, as_entries, of_code, of_help, of_templates

PLACES = {"help": of_help, "code": of_code, "templates": of_templates}


@pytest.fixture(scope="module")
def russian() -> set[Sentence]:
    found = entries(Path(catalogue.__file__).with_name("ru.po").read_text(encoding="utf-8"))[1:]
    return {(entry["msgid"], entry.get("msgid_plural")) for entry in found}


def said(where) -> dict[Sentence, list[str]]:
    places: dict[Sentence, list[str]] = defaultdict(list)
    for place, sentence in where():
        places[sentence].append(place)
    return places


@pytest.mark.parametrize("where", PLACES)
def test_every_sentence_is_in_the_catalogue(where, russian):
    missing = {
        sentence: places for sentence, places in said(PLACES[where]).items() if sentence not in russian
    }
    assert not missing, f"translate these in scripts/language/ru.po:\n\n{as_entries(missing)}"


def test_the_catalogue_holds_no_sentence_that_nobody_says(russian):
    everywhere = {sentence for where in PLACES.values() for sentence in said(where)}
    assert sorted(russian - everywhere, key=str) == []
