"""Cells that a spreadsheet would run are marked, and every mark of ours is undone."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from scripts.files.formulas import are_ours, escaped, unescaped
from scripts.files.input_file import InputFile

SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝")


@pytest.mark.parametrize("sign", SIGNS)
def test_a_text_that_begins_like_a_formula_is_marked(sign):
    assert escaped(f"{sign}1+1") == f"'{sign}1+1"


@pytest.mark.parametrize("number", ["-5", "+5", "-0.5", "-0,5", "-1e-3", "+79991234567"])
def test_a_number_is_left_alone(number):
    assert escaped(number) == unescaped(number) == number


@pytest.mark.parametrize("text", ["", "а", "5-3", "'", "''", "'цитата'", " =1", "нет = да"])
def test_any_other_text_is_left_alone(text):
    assert escaped(text) == unescaped(text) == text


def test_every_text_is_unmarked_to_what_it_was():
    texts = ["".join(parts) for n in range(6) for parts in product("'=-5а", repeat=n)]
    assert len(texts) > 3_000
    assert [text for text in texts if unescaped(escaped(text)) != text] == []
    assert len({escaped(text) for text in texts}) == len(texts)


@pytest.mark.parametrize(
    ("header", "ours"),
    [
        ("id,text,category,category_slug,confidence,stage,status,evidence,reason", True),
        ("audit,source,id,text,answer", True),
        ("id,text,category", False),
        ("id,text,status", False),
    ],
)
def test_our_files_are_known_by_their_columns(header, ours):
    assert are_ours(header.split(",")) is ours


def cells(path: Path) -> list[dict[str, str]]:
    return [record for chunk in InputFile(path).records() for record in chunk]


def test_a_file_of_ours_is_read_without_the_marks_and_the_file_of_others_as_it_is(tmp_path):
    ours, others = tmp_path / "ours.csv", tmp_path / "others.csv"
    ours.write_text("text,'=x,category_slug,status\n'=1,-5,shoes,accepted\n''=1,'-а,,\n", encoding="utf-8")
    others.write_text("text,'=x\n'=1,-5\n", encoding="utf-8")
    assert [(row["text"], row["=x"]) for row in cells(ours)] == [("=1", "-5"), ("'=1", "-а")]
    assert cells(others) == [{"text": "'=1", "'=x": "-5"}]
