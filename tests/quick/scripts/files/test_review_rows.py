"""Rows of a file in the wire contract: which column means what, and groups of rows for messages."""

from __future__ import annotations

import json
import os
import random
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from scripts.files.input_file import InputFile
from scripts.files.record import CHUNK_ROWS
from scripts.files.review_rows import Columns, ReviewRows, pack
from tests.support.input_rows import fault, texts, wire


def test_rows_without_an_id_column_are_numbered_through_all_chunks(write):
    rows = wire(write("text\n" + "ок\n" * (CHUNK_ROWS + 2)))
    assert [row["id"] for row in rows] == [f"row-{number}-5185496a" for number in range(1, CHUNK_ROWS + 3)]


def test_a_row_without_an_id_gets_one_that_takes_no_other_rows_place(write):
    assert [row["id"] for row in wire(write("id,text\n2,а\n,б\n"))] == ["2", "row-2-9aa03233"]


def test_another_file_of_the_same_name_without_ids_replaces_nothing(write):
    today = {row["id"] for row in wire(write("text\nа\nб\n"))}
    assert today == {row["id"] for row in wire(write("text\nа\nб\n"))}
    assert today.isdisjoint(row["id"] for row in wire(write("text\nв\nг\n")))


def test_the_columns_id_and_source_are_found_by_their_names(write):
    rows = wire(write("source,id,text\nshop,7,а\n,8,б\n"))
    assert [(row["source"], row["id"]) for row in rows] == [("shop", "7"), ("file", "8")]


def test_the_time_of_writing_is_found_by_its_name_and_what_was_found_is_told_once(write, capsys):
    path = write("ID,text,Created_At\n7,а,28.11.2026 10:16\n")
    rows = ReviewRows(InputFile(path), Columns(), "shop")
    (row,) = [row for _ in range(2) for _, chunk in rows.chunks() for row in chunk][:1]
    assert (row["id"], row["created_at"]) == ("7", "2026-11-28T10:16:00")
    assert capsys.readouterr().err.count("columns: ") == 1
    wire(path)
    line = "columns: text from 'text'; id from 'ID'; created_at from 'Created_At'; source 'file'"
    assert line in capsys.readouterr().err.splitlines()


def test_columns_can_be_named(write):
    path = write("key,shop,body,at,id\n7,market,а,2026-01-02T03:04:05Z,x\n")
    columns = Columns(text=("body",), id="key", created_at="at", source="shop")
    assert wire(path, columns) == [
        {"source": "market", "id": "7", "text": "а", "created_at": "2026-01-02T03:04:05+00:00"}
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-02", "2026-01-02T00:00:00"),
        ("2026-01-02 03:04", "2026-01-02T03:04:00"),
        ("02.01.2026", "2026-01-02T00:00:00"),
        ("02.01.2026 03:04", "2026-01-02T03:04:00"),
        ("yesterday", "yesterday"),
    ],
)
def test_a_time_that_is_understood_is_given_in_full_and_another_stays_to_be_refused(write, value, expected):
    rows = wire(write(f"text,at\nа,{value}\n"), Columns(created_at="at"))
    assert rows[0]["created_at"] == expected


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_time_is_no_time(write, value):
    assert "created_at" not in wire(write(f"text,at\nа,{value}\n"), Columns(created_at="at"))[0]


def test_times_of_a_parquet_file_are_taken_as_they_are(write):
    moments = pa.array([1_767_323_045_000_000_123, None], pa.timestamp("ns"))
    table = pa.table({"text": ["а", "б"], "at": moments, "day": [date(2026, 1, 2), None]})
    path = write(table, "a.parquet")
    first, second = wire(path, Columns(created_at="at"))
    assert first["created_at"] == datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001
    assert "created_at" not in second
    assert wire(path, Columns(created_at="day"))[0]["created_at"] == "2026-01-02T00:00:00"


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([1, 2], ["1", "2"]),
        ([1.0, None], ["1", "row-2-9aa03233"]),
        ([float("nan"), 0.5], ["row-1-823c4eb3", "0.5"]),
        (["007", None], ["007", "row-2-9aa03233"]),
        ([b"a1", b"a2"], ["a1", "a2"]),
    ],
)
def test_ids_of_other_types_become_text_and_absent_ones_a_number(write, ids, expected):
    path = write(pa.table({"id": ids, "text": ["а", "б"]}), "a.parquet")
    assert [row["id"] for row in wire(path)] == expected


def test_texts_of_other_types_become_text_and_absent_ones_are_empty(write):
    lines = ['{"text": null}', "{}", '{"text": 5}', '{"text": 1.5}', '{"text": true}', '{"text": "а"}']
    assert texts(write("\n".join(lines), "a.jsonl")) == ["", "", "5", "1.5", "True", "а"]


@pytest.mark.parametrize("value", [["а"], {"а": 1}])
def test_a_nested_text_is_left_for_the_wire_contract_to_refuse(write, value):
    path = write(json.dumps({"id": 1, "text": value}), "a.jsonl")
    assert texts(path) == [value]


def test_a_file_name_of_any_bytes_gives_a_source_that_can_be_stored(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv"))
    path.write_text("text\nа\n")
    file = InputFile(path)
    assert file.name == "?.csv"
    rows = ReviewRows(file, Columns(), path.stem)
    assert next(rows.chunks())[1][0]["source"] == "?"


@pytest.mark.parametrize(
    ("option", "columns"),
    [
        ("--text-column", Columns(text=("body",))),
        ("--id-column", Columns(id="body")),
        ("--source-column", Columns(source="body")),
        ("--created-column", Columns(created_at="body")),
    ],
)
def test_a_missing_column_is_told_with_the_columns_there_are(write, option, columns):
    path = write("id,text\n1,а\n")
    assert fault(path, columns) == (
        f"{path}: expected a column 'body', found 'id', 'text'; say which one it is with {option}, or with "
        "--header in which line or row the names stand"
    )


def rows_of(*lengths: int) -> list[dict[str, str]]:
    return [{"text": "я" * length} for length in lengths]


def test_a_message_holds_at_most_so_many_rows():
    assert [len(group) for group in pack(rows_of(*[1] * 7), max_rows=3)] == [3, 3, 1]


def test_a_message_holds_about_so_many_characters():
    groups = list(pack(rows_of(40, 40, 40, 10, 100), max_rows=500, max_chars=100))
    assert [[len(row["text"]) for row in group] for group in groups] == [[40, 40], [40, 10], [100]]


def test_a_text_over_the_limit_travels_alone():
    assert [len(group) for group in pack(rows_of(1, 500, 1), max_rows=500, max_chars=100)] == [1, 1, 1]


def test_no_rows_make_no_message():
    assert list(pack([], max_rows=3)) == []


def test_packing_keeps_every_row_in_order():
    chance = random.Random(5)
    rows = [{"text": "я" * chance.randrange(200), "id": number} for number in range(1_000)]
    groups = list(pack(rows, max_rows=7, max_chars=600))
    assert [row for group in groups for row in group] == rows
    assert all(groups)


@pytest.mark.parametrize("name", ["Отзыв", "ТЕКСТ ОТЗЫВА", "текст", "Комментарий"])
def test_columns_of_a_russian_table_are_found_by_their_names_in_any_case(write, name):
    path = write(f"Номер отзыва;{name};ДАТА\n7;Жмут;28.11.2026 10:16\n")
    assert wire(path) == [{"source": "file", "id": "7", "text": "Жмут", "created_at": "2026-11-28T10:16:00"}]


def test_our_names_go_before_russian_ones(write):
    path = write("Отзыв,text,id,ID отзыва,Дата,created_at\nа,б,1,2,28.11.2026,27.11.2026\n")
    assert wire(path) == [{"source": "file", "id": "1", "text": "б", "created_at": "2026-11-27T00:00:00"}]


def test_two_columns_that_may_be_the_text_are_refused_and_naming_one_is_asked_for(write):
    path = write("Отзыв,Комментарий\nЖмут,Спасибо\n")
    sentence = fault(path)
    assert (
        "expected one column with texts, found 'Отзыв', 'Комментарий'; name one with --text-column"
        in sentence
    )
    assert texts_of_column(path, "Отзыв") == ["Жмут"]


def texts_of_column(path: Path, name: str) -> list[str]:
    return [row["text"] for row in wire(path, Columns(text=(name,)))]


def test_a_file_without_a_text_is_refused_with_its_columns_and_the_formats_of_marketplaces(write):
    assert fault(write("Товар,Оценка\nЧайник,5\n")).endswith(
        "expected a column 'text', found 'Товар', 'Оценка'; say which one it is with --text-column, or with --header "
        "in which line or row the names stand, or with --format (wildberries, ozon, yandex-market) which marketplace's "
        "export it is"
    )


def test_a_russian_date_that_is_none_is_left_alone_and_no_row_is_lost_for_it(write, capsys):
    (row,) = wire(write("Отзыв,Дата\nЖмут,позавчера\n"))
    assert "created_at" not in row
    assert "'Дата' is not taken as created_at, since 'позавчера' is no time" in capsys.readouterr().err


def test_advantages_beside_a_text_that_was_found_by_its_name_are_told(write, capsys):
    assert texts(write("Отзыв,Достоинства\nЖмут,Лёгкие\n")) == ["Жмут"]
    assert "note: not read: 'Достоинства'; --text-column for each" in capsys.readouterr().err
