"""No row of a table vanishes: each is read, or the table is refused with the line and what to do about it."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from scripts.files.csv_rows import LONGEST_CELL
from scripts.files.gold_file import read_gold
from scripts.files.input_file import InputFile
from scripts.files.label_file import read_labels
from scripts.files.options import TableOptions
from scripts.files.review_rows import Columns
from shared.errors import InputFileError
from shared.taxonomy import default_taxonomy
from tests.support.input_rows import fault, texts, wire

STRAY = (
    "id\ttext\n"
    '1\t"Чайник кипятит за минуту\n'
    "2\tКроссовки жмут в пальцах\n"
    '3\tМонитор 24" яркий, без битых точек\n'
    "4\tПлатье село по фигуре\n"
    '5\tКастрюля "не пригорает", ручки не греются\n'
    "6\tДоставили на день позже\n"
)


def records(path: Path, **options: Any) -> list[dict[str, Any]]:
    return [record for chunk in InputFile(path, **options).records() for record in chunk]


def test_a_stray_quote_is_refused_with_its_line_and_the_option(write):
    path = write(STRAY, "stray.tsv")
    assert fault(path) == (
        f"{path}, line 2: expected quotes around whole cells, and doubled inside of them, found one that opens in this "
        "line, and after its end in line 4 more text; if quotes are a part of the texts, add --quotes none, else mend "
        "that line"
    )


def test_without_quoting_every_line_is_a_row_and_quotes_are_text(write):
    rows = wire(write(STRAY, "stray.tsv"), quotes="none")
    assert [row["id"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert rows[0]["text"] == '"Чайник кипятит за минуту'
    assert rows[4]["text"] == 'Кастрюля "не пригорает", ручки не греются'


@pytest.mark.parametrize(
    "lines",
    [
        'id\ttext\n1\t"Чайник\n2\tКроссовки\n3\tМонитор 24"\n4\tПлатье\n',
        'id;text;rating\n1;"Чайник;5\n2;Кроссовки;4\n3;Монитор 24";3\n4;Платье;5\n',
        'text,id\n"Чайник,1\nКроссовки,2\nМонитор 24",3\nПлатье,4\n',
        'id;date;text\nwb-1;28.11.2026;"Чайник\nwb-2;29.11.2026;Монитор 24"\n',
    ],
)
def test_rows_between_two_stray_quotes_are_not_taken_for_one_text(write, lines):
    path = write(lines)
    assert fault(path).startswith(
        f"{path}, line 2: expected a row, found a quote that opens in this line and closes"
    )
    assert "--quotes none, and if all of this is one text, --quotes always" in fault(path)
    assert len(records(path, quotes="none")) == lines.count("\n") - 1
    assert len(records(path, quotes="always")) < lines.count("\n") - 1


@pytest.mark.parametrize(
    "text",
    [
        "Жмут\nи натирают пятку, 2 раза",
        "Мой список:\n1,чайник\n2,кружка",
        "а\r\nб\r\n\r\nв",
        'сказали "да",\nа прислали "нет"',
        "12\n13\n14",
    ],
)
def test_a_quoted_text_of_several_lines_stays_one_text(write, text):
    quoted = text.replace('"', '""')
    path = write(f'id,text\n"1","{quoted}"\n"2","ещё"\n'.encode())
    assert [row["text"] for row in wire(path)] == [text, "ещё"]


def test_quotes_inside_of_a_cell_that_does_not_begin_with_one_are_text(write):
    assert texts(write('id,text\n1,Монитор 24" яркий\n2,он "хороший"\n')) == [
        'Монитор 24" яркий',
        'он "хороший"',
    ]


def test_a_quote_that_never_closes_does_not_take_the_file_into_memory(write):
    path = write('id,text\n1,"а\n' + "2,б\n" * (LONGEST_CELL // 4 + 1))
    assert "one that opens in this line and never closes" in fault(path)


def test_a_row_with_fewer_columns_has_empty_cells_and_is_told(write, capsys):
    path = write("text,id,extra\nа,1,x\nб\nв,2\n")
    assert [row["extra"] for row in records(path)] == ["x", "", ""]
    assert "note: 2 rows have fewer columns than the header, the first in line 3" in capsys.readouterr().err


def test_empty_cells_behind_the_last_column_are_no_columns(write):
    assert records(write("id,text\n1,а,,\n2,б,\n")) == [{"id": "1", "text": "а"}, {"id": "2", "text": "б"}]
    assert "line 3: expected 2 columns" in fault(write("id,text\n1,а,,\n2,б,,в\n"))


def test_columns_without_a_name_are_kept(write):
    assert records(write("id,text,,\n1,а,б,\n")) == [
        {"id": "1", "text": "а", "Unnamed: 2": "б", "Unnamed: 3": ""}
    ]


@pytest.mark.parametrize("before", ["\n\n", ";;\n;;\n", "\r\n \r\n"])
def test_blank_lines_before_the_header_are_no_header(write, before):
    assert texts(write(f"{before}id;text;x\n1;а;\n")) == ["а"]


def test_a_title_above_the_header_is_passed_by_naming_the_header_s_line(write):
    path = write("Отзывы за ноябрь\n\nid;text\n1;а\n")
    assert "found 'Отзывы за ноябрь'; say which one it is with --text-column, or with --header" in fault(path)
    assert texts(path, header=3) == ["а"]


def test_what_excel_writes_as_unicode_text_is_read(write):
    content = 'id\ttext\r\n1\t"две\nстроки"\r\n2\tЧайник\r\n'.encode("utf-16")
    assert texts(write(content, "unicode.txt")) == ["две\nстроки", "Чайник"]


@pytest.mark.parametrize(
    ("content", "how"),
    [
        ("текст;ответ\r\nБотинки;обувь\r\n".encode("cp1251"), "CSV in cp1251, semicolons between columns"),
        ("id,text\n1,Ботинки\n".encode(), "CSV in utf-8, commas between columns"),
        (codecs.BOM_UTF8 + "id\ttext\n1\tБотинки\n".encode(), "CSV in utf-8, tabs between columns"),
        ("id;text\n1;Ботинки\n".encode("utf-16"), "CSV in utf-16, semicolons between columns"),
        ("id;text\n1;Ботинки\n".encode("utf-16-le"), "CSV in utf-16-le, semicolons between columns"),
        ("id;text\n1;Ботинки\n".encode("utf-16-be"), "CSV in utf-16-be, semicolons between columns"),
        (b"id,text\n1,shoes\n", "CSV in utf-8, commas between columns"),
    ],
)
def test_encoding_and_delimiter_are_found_and_said_once_in_one_line(write, capsys, content, how):
    file = InputFile(write(content))
    rows = [row for chunk in file.records() for row in chunk]
    assert rows == [row for chunk in file.records() for row in chunk]
    assert set(rows[0].values()) & {"Ботинки", "shoes"}
    assert capsys.readouterr().err == f"reading: reviews.csv: {how}\n"


def test_commas_in_a_file_of_one_column_are_text(write):
    assert texts(write("text\nплохо, но терпимо\nда; нет\n")) == ["плохо, но терпимо", "да; нет"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Дата;Текст, как написано\n1;да, и нет, и да\n2;нет\n", ["да, и нет, и да", "нет"]),
        ("id;Текст, как написано\n1;4,5\n", ["4,5"]),
        ('id,"Текст, как написано"\n1,а;б;в;г\n', ["а;б;в;г"]),
        ("sep=;\r\nid;Текст, как написано\r\n1;а,б\r\n", ["а,б"]),
        ("id\tТекст, как написано\n1\tа, б; в\n", ["а, б; в"]),
    ],
)
def test_the_delimiter_is_the_one_that_explains_the_rows(write, content, expected):
    path = write(content)
    rows = wire(path, Columns(text=("Текст, как написано",)))
    assert [row["text"] for row in rows] == expected


def test_capitals_in_cp1251_are_not_taken_for_another_encoding_where_words_are_there(write):
    assert texts(write("id;text\n1;ОТЛИЧНЫЕ ботинки, «СМС» пришло\n".encode("cp1251"))) == [
        "ОТЛИЧНЫЕ ботинки, «СМС» пришло"
    ]


# Ids


@pytest.mark.parametrize(
    "value", ["1,23457E+11", "1.23457E+11", "1E+12", " 4,60705E+12 ", "1e+11", "1.23457e+11", "-1,2E+15"]
)
def test_ids_that_a_spreadsheet_has_ruined_are_refused(write, value):
    path = write(f"id;text\n17;а\n{value};б\n")
    assert fault(path).startswith(
        f"{path}, row 3: expected an id, found {value.strip()}: a spreadsheet has kept only the first"
    )
    assert fault(path).endswith("export the file anew with that column as text, or add --without-ids")
    assert [row["id"][:6] for row in wire(path, Columns(without_ids=True))] == ["row-1-", "row-2-"]


def test_ruined_ids_are_refused_in_every_other_table_too(write):
    gold = write("id;text;category\n1,23457E+11;Ботинки;обувь\n", "gold.csv")
    with pytest.raises(
        InputFileError, match=r"row 2: expected an id, found 1,23457E\+11: .* column as text$"
    ):
        read_gold(gold, None, default_taxonomy())
    with pytest.raises(InputFileError, match=r"row 2: expected an id"):
        read_labels(gold, [], default_taxonomy())


@pytest.mark.parametrize("ids", [[1.0, None, 3.0], [1.0, float("nan"), 3.0]])
def test_whole_ids_that_were_stored_as_floating_point_are_integers_everywhere(write, ids):
    path = write(pa.table({"id": ids, "text": ["а", "б", "в"]}), "a.parquet")
    assert [row["id"] for row in wire(path)] == ["1", "row-2-9aa03233", "3"]


def test_a_floating_point_id_of_which_digits_are_lost_is_refused(write):
    path = write(pa.table({"id": [1.2345678901234568e18], "text": ["а"]}), "a.parquet")
    assert "row 1: expected an id, found 1.2345678901234568e+18" in fault(path)
    assert (
        wire(write('[{"id": 1234567890123456789, "text": "а"}]', "a.json"))[0]["id"] == "1234567890123456789"
    )


# Texts of several columns, and times


def test_a_text_is_joined_from_columns_any_of_which_may_be_empty(write):
    path = write("text,pros,cons\nЖмут,,маломерят\n,тёплые,\n,,\n")
    columns = Columns(text=("text", "pros", "cons"))
    assert [row["text"] for row in wire(path, columns)] == ["Жмут\nмаломерят", "тёплые", ""]
    assert wire(path, Columns(text=("cons", "CONS")))[0]["text"] == "маломерят"
    assert "expected a column 'minus'" in fault(path, Columns(text=("text", "minus")))


def test_the_time_of_writing_is_found_by_its_usual_name(write):
    assert wire(write("text,created_at\nа,28.11.2026 10:16\nб,\n")) == [
        {"source": "file", "id": "row-1-823c4eb3", "text": "а", "created_at": "2026-11-28T10:16:00"},
        {"source": "file", "id": "row-2-9aa03233", "text": "б"},
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("46354.427777777775", "2026-11-28T10:16:00"),
        ("46354,427777777775", "2026-11-28T10:16:00"),
        ("1795861000", "2026-11-28T10:16:40+00:00"),
        ("1795861000000", "2026-11-28T10:16:40+00:00"),
        ("20261128", "2026-11-28T00:00:00"),
        ("12", "12"),
    ],
)
def test_times_as_numbers_of_excel_and_unix_are_understood(write, value, expected):
    assert wire(write(f"text;created_at\nа;{value}\n"))[0]["created_at"] == expected


# Gold and labels


def test_a_gold_file_as_excel_in_russian_saves_it_is_read(write):
    path = write("отзыв;ответ\r\nБотинки жмут;обувь\r\n".encode("cp1251"), "gold.csv")
    assert [(row.text, row.category) for row in read_gold(path, None, default_taxonomy())] == [
        ("Ботинки жмут", "shoes")
    ]


def test_one_id_with_two_texts_is_refused_where_gold_looks_its_texts_up(write):
    write("id,text\n1,Ботинки\n1,Чайник\n", "reviews.csv")
    gold = write("id,category\n1,обувь\n", "gold.csv")
    with pytest.raises(
        InputFileError, match=r"reviews\.csv, row 3: expected one text for an id, found another one"
    ):
        read_gold(gold, None, default_taxonomy())


def test_a_table_of_a_command_is_read_as_its_options_say(write):
    path = write("x\nотзыв|категория\nБотинки|обувь\n".encode("koi8-r"), "gold.csv")
    tables = TableOptions(encoding="koi8-r", delimiter="|", header=2)
    assert [row.category for row in read_gold(path, None, default_taxonomy(), tables)] == ["shoes"]
