"""Workbooks: what is read of a sheet, and how one that cannot be read is refused."""

from __future__ import annotations

import re
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from scripts.files.input_file import InputFile
from scripts.files.options import TableOptions
from scripts.files.review_rows import Columns, ReviewRows
from shared.errors import InputFileError
from tests.support.input_rows import fault, texts, wire

Sheets = dict[str, list[list[Any]]]


@pytest.fixture
def workbook(tmp_path: Path):
    """Write a workbook of sheets, each a list of rows; returns its path."""

    def write_workbook(sheets: Sheets, name: str = "reviews.xlsx") -> Path:
        with xlsxwriter.Workbook(tmp_path / name, {"default_date_format": "dd.mm.yyyy hh:mm"}) as book:
            for title, rows in sheets.items():
                sheet = book.add_worksheet(title)
                for number, row in enumerate(rows):
                    sheet.write_row(number, 0, row)
        return tmp_path / name

    return write_workbook


Span = tuple[int, int, int, int, str]


@pytest.fixture
def merged(tmp_path: Path):
    """Write a workbook of one sheet whose spans of cells, from 0, are merged; returns its path."""

    def write_merged(rows: list[list[Any]], *spans: Span) -> Path:
        with xlsxwriter.Workbook(tmp_path / "merged.xlsx") as book:
            sheet = book.add_worksheet("1")
            for number, row in enumerate(rows):
                sheet.write_row(number, 1, row)
            for span in spans:
                sheet.merge_range(*span)
        return tmp_path / "merged.xlsx"

    return write_merged


def records(path: Path, **options: Any) -> list[dict[str, Any]]:
    return [record for chunk in InputFile(path, **options).records() for record in chunk]


def test_cells_are_what_they_were_and_whole_numbers_are_integers(workbook):
    at = datetime(2026, 11, 28, 10)  # noqa: DTZ001
    path = workbook(
        {
            "Отзывы": [
                ["id", "text", "n", "at"],
                [123456789012, "две\r\nстроки", 4.5, at],
            ]
        }
    )
    assert records(path) == [{"id": 123456789012, "text": "две\r\nстроки", "n": 4.5, "at": at}]
    assert wire(path, Columns(created_at="at")) == [
        {"source": "file", "id": "123456789012", "text": "две\r\nстроки", "created_at": at}
    ]


def test_a_long_id_of_which_excel_has_lost_digits_is_refused(workbook):
    path = workbook({"1": [["id", "text"], [12, "а"], [1234567890123456789, "б"]]})
    assert fault(path).startswith(f"{path}, row 3: expected an id, found 1.23456789012345")


def test_dates_that_are_days_are_times_of_the_contract(workbook):
    path = workbook({"1": [["text", "created_at"], ["а", date(2026, 11, 28)], ["б", 46354.5], ["в", None]]})
    assert [row.get("created_at") for row in wire(path)] == [
        "2026-11-28T00:00:00",
        "2026-11-28T12:00:00",
        None,
    ]


def test_empty_rows_and_columns_are_none_and_others_stay(workbook):
    path = workbook(
        {
            "1": [
                [],
                ["", "id", "text", "", ""],
                ["", 1, "а", "", "заметка"],
                [],
                ["", "", "  ", "", ""],
                ["", 2, ""],
            ]
        }
    )
    assert records(path) == [
        {"id": 1, "text": "а", "Unnamed: 2": "заметка"},
        {"id": 2, "text": None, "Unnamed: 2": None},
    ]


def test_the_first_sheet_with_rows_is_read_and_the_others_are_named(workbook, capsys):
    path = workbook({"Пусто": [], "Отзывы": [["text"], ["а"]], "Ответы": [["text"], ["б"]]})
    assert texts(path) == ["а"]
    read, columns = capsys.readouterr().err.splitlines()
    assert read == "reading: reviews.xlsx: sheet 'Отзывы', not 'Пусто', 'Ответы'"
    assert columns.startswith(
        "columns: text from 'text'; no ids: rows are called by number and text; no created_at;"
    )
    assert texts(path, sheet="Ответы") == ["б"]
    assert fault(path, sheet="Нет").endswith(
        "expected a sheet 'Нет', found 'Пусто', 'Отзывы', 'Ответы'; name one with --sheet"
    )


def test_a_first_sheet_that_is_a_title_alone_is_passed(workbook, capsys):
    path = workbook({"Титул": [["Отзывы за ноябрь"]], "Отзывы": [["text"], ["а"]]})
    assert texts(path) == ["а"]
    assert "reading: reviews.xlsx: sheet 'Отзывы', not 'Титул'" in capsys.readouterr().err


def test_a_workbook_of_which_no_sheet_does_is_refused_at_its_first_rows_with_the_names_of_its_sheets(
    workbook,
):
    several = workbook({"Титул": [["Отзывы"], ["за ноябрь"]], "Лист 2": [["Отзывы"], ["а"]]})
    assert fault(several).endswith(", or name with --sheet another than 'Титул': 'Лист 2'")
    titles = ReviewRows(InputFile(workbook({"Титул": [["Отзывы"]], "Пусто": []})), Columns(), "shop")
    with pytest.raises(
        InputFileError, match=r"found a header and no rows, or name with --sheet .*: 'Пусто'$"
    ):
        titles.check()
    with pytest.raises(
        InputFileError, match=r"a column 'category', found 'Отзывы'.* than 'Титул': 'Лист 2'$"
    ):
        TableOptions().records(workbook({"Титул": [["Отзывы"], ["б"]], "Лист 2": [["а"], ["а"]]}), "category")


def test_what_stands_in_merged_cells_stands_in_each_of_their_rows(merged, capsys):
    rows = [["id", "text", "category"], [1, "а", None], [2, "б", None], [3, "в", None], [4, "г", "обувь"]]
    path = merged(rows, (1, 3, 2, 3, "одежда"), (3, 1, 3, 2, "в"))
    assert [row["category"] for row in records(path)] == ["одежда", "одежда", None, "обувь"]
    assert "note: 1 merged cell: what stands in it counts for each of its rows" in capsys.readouterr().err


@pytest.mark.parametrize("span", [(0, 2, 0, 3, "text"), (0, 1, 1, 1, "id"), (0, 1, 0, 3, "Отчёт")])
def test_names_in_merged_cells_are_refused_and_those_of_the_row_below_are_taken(merged, span):
    path = merged([["id", "text", None], ["id", "плюсы", "минусы"], [1, "а", "б"]], span)
    assert fault(path).startswith(
        f"{path}, row 1: expected one name for each column, found a merged cell; name with --header the row in which"
    )
    assert records(path, header=2) == [{"id": 1, "плюсы": "а", "минусы": "б"}]


def test_a_title_above_the_names_is_passed_by_naming_their_row(workbook):
    path = workbook({"1": [["Отчёт за ноябрь"], [], ["text", "id"], ["а", 7]]})
    assert "or with --header in which line or row the names stand" in fault(path)
    assert texts(path, header=3) == ["а"]
    assert "expected a row with the columns' names, found none" in fault(path, header=9)


def test_two_columns_of_one_name_are_refused(workbook):
    assert "found more than one 'text'" in fault(workbook({"1": [["text", "text"], ["а", "б"]]}))


@pytest.mark.parametrize(
    "content", [b"id,text\n1,a\n", b"PK\x03\x04" + bytes(50), b"\xd0\xcf\x11\xe0" + bytes(600)]
)
@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.ods"])
def test_what_is_no_workbook_is_refused(write, name, content):
    sentence = fault(write(content, name))
    assert "expected a workbook of Excel or OpenDocument, found" in sentence
    assert "give a text file a name that ends in .csv" in sentence


NAMES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
)
CELL = '<table:table-cell office:value-type="{}"{}><text:p>{}</text:p></table:table-cell>'
ODS = "".join(
    (
        f"<office:document-content {NAMES}><office:body><office:spreadsheet>",
        '<table:table table:name="Лист1"><table:table-row>',
        CELL.format("string", "", "id"),
        CELL.format("string", "", "text"),
        "</table:table-row><table:table-row>",
        CELL.format("float", ' office:value="123456789012"', "1,2E+11"),
        CELL.format("string", "", "Чайник"),
        '</table:table-row><table:table-row table:number-rows-repeated="1048574">',
        '<table:table-cell table:number-columns-repeated="2"/></table:table-row></table:table>',
        "</office:spreadsheet></office:body></office:document-content>",
    )
)


def test_a_sheet_of_opendocument_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "reviews.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", ODS)
    assert wire(tmp_path / "reviews.ods") == [{"source": "file", "id": "123456789012", "text": "Чайник"}]


def test_a_formula_that_nobody_has_computed_is_refused_with_its_cell(workbook, tmp_path):
    path = workbook({"1": [["id", "text"], [1, "а"], ["@", "@"]]})
    for value in ("<v></v>", "<v />", ""):
        rewritten = rewrite(path, tmp_path / "other.xlsx", "xl/worksheets/sheet1.xml", f"<f>A2</f>{value}")
        assert fault(rewritten) == (
            f"{rewritten}, cell A3: expected a value, found a formula that nobody has computed; open the workbook in "
            "Excel or LibreOffice, save it and try again"
        )
    computed = rewrite(path, tmp_path / "other.xlsx", "xl/worksheets/sheet1.xml", "<f>A2</f><v>5</v>")
    assert [row["id"] for row in wire(computed)] == ["1", "5"]


def test_cells_with_errors_are_said_once(tmp_path, capsys):
    with xlsxwriter.Workbook(tmp_path / "errors.xlsx") as book:
        sheet = book.add_worksheet("Отзывы & прочее")
        sheet.write_row(0, 0, ["id", "text"])
        sheet.write_row(1, 0, [1, "а"])
        sheet.write_formula(2, 0, "=NA()", None, "#N/A")
        sheet.write(2, 1, "б")
    file = InputFile(tmp_path / "errors.xlsx")
    assert len(next(file.records())) == len(next(file.records())) == 2
    told = "note: 1 cell with an error, such as #N/A, in A3 counts as empty"
    assert capsys.readouterr().err.count(told) == 1


def rewrite(path: Path, to: Path, part: str, formula: str) -> Path:
    """A copy of a workbook with a formula in place of the cells that say @."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w") as new:
        strings = re.findall(r"<si>.*?</si>", old.read("xl/sharedStrings.xml").decode())
        number = next(at for at, one in enumerate(strings) if ">@<" in one)
        for name in old.namelist():
            data = old.read(name).decode()
            if name == part:
                data = re.sub(rf'(<c r="A[0-9]+") t="s"><v>{number}</v></c>', rf"\1>{formula}</c>", data)
            new.writestr(name, data)
    return to
