"""Exports of marketplaces: their columns are found by name, and what is known of the product is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.files.input_file import InputFile
from scripts.files.options import FileOptions
from scripts.files.presets import PRESETS, PresetName
from scripts.files.review_rows import Columns, ReviewRows
from shared.errors import InputFileError
from shared.reviews.wire import decode, encode

EXPORT = (
    "\ufeffДата,Артикул WB,Категория,Бренд,Оценка,Текст отзыва,Достоинства,Недостатки,Ответ\r\n"
    "28.11.2026 10:16,100200300,Чайники электрические,Норд,5,,Быстро кипятит,Короткий провод,\r\n"
    '28.11.2026 10:18,100200301,Кроссовки,Бегун,2,"Жмут\nи натирают пятку",,Маломерят,Извините\r\n'
    "28.11.2026 11:02,100200302,Пледы,Дом,4,,,,\r\n"
)
OFFICIAL: dict[PresetName, dict[str, Any]] = {
    "wildberries": {
        "id": "YX52RZEBhH9mrcYdEJuD",
        "text": "Жмут",
        "pros": "Лёгкие",
        "cons": "Маломерят",
        "productValuation": 2,
        "createdDate": "2026-11-28T10:18:48Z",
        "subjectName": "Кроссовки",
        "productDetails": {"nmId": 987654321, "productName": "Кроссовки Бегун", "brandName": "Бегун"},
        "answer": None,
    },
    "ozon": {
        "id": "0187a8b2-1b7f-7c3e-9d54-5c1d2e3f4a5b",
        "text": "Жмут",
        "rating": 2,
        "published_at": "2026-11-28T10:18:48Z",
        "sku": 987654321,
        "status": "UNPROCESSED",
    },
    "yandex-market": {
        "feedbackId": 987654321012,
        "createdAt": "2026-11-28T10:18:48Z",
        "description": {"comment": "Жмут", "advantages": "Лёгкие", "disadvantages": None},
        "statistics": {"rating": 2},
        "identifiers": {"offerId": "shoes-1"},
    },
}


def rows(path: Path, name: PresetName, **given: Any) -> list[dict[str, Any]]:
    return [row for _, chunk in FileOptions(path, preset=name, **given).rows().chunks() for row in chunk]


def test_an_export_of_wildberries_is_read_by_its_names(write):
    first, second, third = rows(write(EXPORT), "wildberries")
    assert first == {
        "source": "wildberries",
        "id": first["id"],
        "text": "Быстро кипятит\nКороткий провод",
        "created_at": "2026-11-28T10:16:00",
        "meta": {
            "rating": 5,
            "category": "Чайники электрические",
            "brand": "Норд",
            "article": 100200300,
        },
    }
    assert second["text"] == "Жмут\nи натирают пятку\nМаломерят"
    assert third["text"] == ""


@pytest.mark.parametrize("name", PRESETS)
def test_what_the_interface_for_sellers_answers_is_read_by_its_fields(write, name):
    path = write(json.dumps([OFFICIAL[name], OFFICIAL[name]], ensure_ascii=False), "reviews.json")
    row = rows(path, name)[0]
    assert row["source"] == name
    assert row["id"] == str(OFFICIAL[name].get("id", OFFICIAL[name].get("feedbackId")))
    assert row["text"].split("\n")[0] == "Жмут"
    assert row["meta"]["rating"] == 2
    message = decode(encode([row]), max_text_chars=1_000)
    assert (len(message.reviews), message.rejected) == (1, [])


def test_columns_that_are_named_go_before_those_of_the_preset(write):
    path = write(EXPORT)
    first = rows(path, "wildberries", text_column=["Недостатки"], source="shop")[0]
    assert (first["text"], first["source"]) == ("Короткий провод", "shop")


def test_names_are_found_whatever_their_case_and_spaces_around_them(write):
    assert rows(write(" ТЕКСТ ОТЗЫВА ;оценка\nЖмут;2\n"), "ozon")[0]["meta"] == {"rating": 2}


def test_a_file_without_any_of_the_columns_is_refused(write):
    with pytest.raises(
        InputFileError, match=r"expected a column 'text', found 'a', 'b'; say which one it is with"
    ):
        rows(write("a,b\n1,2\n"), "ozon")


def test_a_name_with_dots_leads_into_nested_objects(write):
    path = write('{"id": 1, "body": {"text": "а"}}\n{"id": 2}\n', "a.jsonl")
    found = ReviewRows(InputFile(path), Columns(text=("body.text",)), "file")
    assert [row["text"] for _, chunk in found.chunks() for row in chunk] == ["а", ""]


def test_pluses_minuses_and_times_by_their_other_russian_names_are_read_too(write):
    path = write("Дата и время;Текст;Плюсы;Минусы\n28.11.2026 10:16;Жмут;;Маломерят\n;;Тёплые;\n")
    first, second = rows(path, "ozon")
    assert (first["text"], first["created_at"]) == ("Жмут\nМаломерят", "2026-11-28T10:16:00")
    assert second["text"] == "Тёплые"


def test_a_whole_answer_of_an_interface_is_refused_with_the_place_of_its_reviews(write):
    answer = {"data": {"countUnanswered": 0, "feedbacks": [OFFICIAL["wildberries"]]}, "error": False}
    path = write(json.dumps(answer), "a.json")
    with pytest.raises(
        InputFileError,
        match=r"write the array at data\.feedbacks into a file of its own, if that has the reviews",
    ):
        rows(path, "wildberries")
