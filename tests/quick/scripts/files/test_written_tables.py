"""Tables that we write open in Excel by a double click, and come back as they were when we read them."""

from __future__ import annotations

import codecs
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.files import row_writer
from scripts.files.csv_writer import opened_csv
from scripts.files.input_file import InputFile
from scripts.files.record import Record
from scripts.files.review_rows import Columns, ReviewRows
from scripts.files.sheet_writer import LONGEST_CELL, MOST_ROWS, opened_sheet
from scripts.files.whole_file import OutFile
from scripts.quality import audit_file
from shared.errors import InputFileError
from shared.store.audits import AuditItem
from shared.taxonomy import default_taxonomy


def records(path: Path, **options: Any) -> list[Record]:
    return [record for chunk in InputFile(path, **options).records() for record in chunk]


def test_a_csv_begins_with_a_byte_order_mark_and_is_read_back(tmp_path):
    with opened_csv(tmp_path / "out.csv", ("id", "text")) as write:
        write([{"id": "1", "text": "Чайник, синий"}])
    assert (tmp_path / "out.csv").read_bytes().startswith(codecs.BOM_UTF8 + b"id,text\n")
    assert records(tmp_path / "out.csv") == [{"id": "1", "text": "Чайник, синий"}]


def test_a_csv_with_semicolons_has_decimal_commas(tmp_path, capsys):
    with opened_csv(tmp_path / "out.csv", ("id", "confidence", "text"), semicolons=True) as write:
        write([{"id": 7, "confidence": 0.9953, "text": "а; б, в"}])
    written = (tmp_path / "out.csv").read_text(encoding="utf-8-sig")
    assert written == 'id;confidence;text\n7;0,9953;"а; б, в"\n'
    assert records(tmp_path / "out.csv") == [{"id": "7", "confidence": "0,9953", "text": "а; б, в"}]
    assert "CSV in utf-8, semicolons between columns" in capsys.readouterr().err


def test_a_workbook_keeps_every_kind_of_cell_and_no_formula(tmp_path):
    row = {
        "id": "1234567890123456789",
        "text": "=1+1",
        "link": "https://example.com",
        "lines": "две\nстроки\r\nи\rещё",
        "number": 12,
        "share": 0.5,
        "flag": True,
        "none": None,
        "nan": float("nan"),
        "nested": {"а": [1]},
        "at": datetime(2026, 11, 28, 10, 16, tzinfo=UTC),
        "huge": 10**20,
    }
    with opened_sheet(tmp_path / "out.xlsx", [*row], "reviews") as write:
        write([row])
    assert records(tmp_path / "out.xlsx") == [
        {**row, "nan": None, "nested": '{"а":[1]}', "at": "2026-11-28 10:16:00+00:00", "huge": str(10**20)}
    ]


def test_what_no_sheet_can_hold_is_refused(tmp_path):
    with (
        pytest.raises(
            InputFileError, match=r"a cell of a sheet holds 32,767 characters, found 32,768 in row 1"
        ),
        opened_sheet(tmp_path / "a.xlsx", ("text",), "reviews") as write,
    ):
        write([{"text": "я" * (LONGEST_CELL + 1)}])
    empty: Record = {}
    with (
        pytest.raises(
            InputFileError, match=r"a sheet holds 1,048,576 rows, found more; choose an output name"
        ),
        opened_sheet(tmp_path / "b.xlsx", ("text",), "reviews") as write,
    ):
        write([empty] * (MOST_ROWS - 1) + [{"text": "а"}])


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".xlsx"])
@pytest.mark.parametrize("ids", [[1.0, None], [1.0, float("nan")]])
def test_whole_ids_that_were_floating_point_are_written_as_integers(tmp_path, suffix, ids):
    pq.write_table(pa.table({"id": ids, "text": ["а", "б"]}), tmp_path / "in.parquet")
    rows = ReviewRows(InputFile(tmp_path / "in.parquet"), Columns(), "file")
    list(rows.chunks())
    out = tmp_path / f"out{suffix}"
    with row_writer.beside(OutFile(out), rows, {"stage": str}) as write:
        for given, wire in rows.chunks():
            write(given, ({"stage": one["id"][:3]} for one in wire))
    first, second = records(out)
    assert str(first["id"]) == "1"
    assert second["id"] in (None, "")
    assert first["stage"] == "1"


def test_a_workbook_has_wide_texts_of_any_name_in_lines_and_names_that_stay_and_filter(tmp_path):
    (tmp_path / "in.csv").write_text("Номер отзыва,Отзыв\n1,Жмут\n2,Лёгкие\n", encoding="utf-8")
    rows = ReviewRows(InputFile(tmp_path / "in.csv"), Columns(), "file")
    list(rows.chunks())
    with row_writer.beside(OutFile(tmp_path / "out.xlsx"), rows, {"stage": str}) as write:
        for given, wire in rows.chunks():
            write(given, ({"stage": "keywords"} for _ in wire))
    with zipfile.ZipFile(tmp_path / "out.xlsx") as book:
        sheet, styles = (book.read(f"xl/{name}.xml").decode() for name in ("worksheets/sheet1", "styles"))
    assert re.search(r'<col min="2" max="2" width="6[0-9.]+" style="[1-9]"', sheet)
    assert 'wrapText="1"' in styles
    assert '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>' in sheet
    assert '<autoFilter ref="A1:C3"/>' in sheet


ITEMS = [
    AuditItem(1, 1, "shop", "1234567890123456", "=Платье", "clothes", "keywords", "accepted", 0.98765, 1.0),
]


@pytest.fixture
def drawn(tmp_path):
    """Write an audit of one review; returns its path."""

    def write(suffix: str, **options: Any) -> Path:
        path = tmp_path / f"audit{suffix}"
        settled = {"show_labels": True, "semicolons": False, **options}
        audit_file.write(path, 3, ITEMS, default_taxonomy(), **settled)
        return path

    return write


def test_an_audit_as_csv_lists_the_answers_that_may_be_given(drawn):
    (row,) = records(drawn(".csv"))
    titles = [category.title for category in default_taxonomy().categories]
    assert row["allowed"] == "; ".join(titles)
    assert (row["audit"], row["id"], row["text"], row["answer"]) == ("3", "1234567890123456", "=Платье", "")
    assert (row["label"], row["confidence"]) == ("одежда", "0.988")
    assert records(drawn(".csv", semicolons=True))[0]["confidence"] == "0,988"


def test_an_audit_as_workbook_has_a_sheet_with_the_answers(drawn):
    path = drawn(".xlsx", show_labels=False)
    (row,) = records(path)
    assert (row["audit"], row["id"], row["text"]) == ("3", "1234567890123456", "=Платье")
    assert "allowed" not in row
    titles = [category.title for category in default_taxonomy().categories]
    first, *others = records(path, sheet="answers")
    assert [next(iter(first)), *(next(iter(one.values())) for one in (first, *others))] == titles
