"""Nothing that people are told is without a Russian translation, and the catalogue holds nothing else."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from scripts.command import help as helping
from scripts.language import catalogue
from scripts.language.catalogue import entries
from tests.support.sentences import Sentence, as_entries, of_code, of_help, of_templates
from tests.support.unspoken import of_module, unspoken

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


def test_nothing_is_said_past_the_catalogue(russian):
    known = {one for one, _ in russian if " " in one}
    found = [f"{place}  {text!r}" for place, text in unspoken() if helping.sentence(text) not in known]
    assert found == [], "say these by `translated` or `counted`"


@pytest.mark.parametrize(
    "code",
    [
        'table(("category", translated("share")), rows)',
        'heads = ("category", "share")\ntable(heads, rows)',
        'out.print(f"{n} reviews")',
        'remark(translated("note"), f"model {n} is idle")',
        'def f():\n    return f"{n} reviews wait for tokens"',
        'told = "rows" if rows else translated("none")\nout.print(told)',
        'out.print(translated("{what} wait", what="reviews"))',
    ],
)
def test_what_is_said_past_the_catalogue_is_found(code):
    assert of_module(code)


@pytest.mark.parametrize(
    "code",
    [
        'table((translated("category"), "text"), rows, title_style="bold")',
        'raise ModelError(f"model {n} is not there")',
        'remedy = "name one with --model"\nraise ModelError(f"expected one; {remedy}")',
        'log.info("worker.models_loaded", seconds=1)',
        'def f():\n    """A sentence for programmers."""',
        'opened(settings, store, "otzyv labels import")',
    ],
)
def test_what_may_be_english_is_let_pass(code):
    assert of_module(code) == []


def test_the_catalogue_holds_no_sentence_that_nobody_says(russian):
    everywhere = {sentence for where in PLACES.values() for sentence in said(where)}
    assert sorted(russian - everywhere, key=str) == []
