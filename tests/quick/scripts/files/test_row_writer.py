"""Rows written to CSV, JSON lines and Parquet come back as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.files import row_writer, whole_file
from scripts.files.input_file import InputFile
from scripts.files.record import CHUNK_ROWS
from scripts.files.review_rows import Columns, ReviewRows
from shared.errors import InputFileError
from tests.support.row_files import read_rows

FORMATS = [suffix for suffix in whole_file.FORMATS if suffix != ".xlsx"]


@pytest.fixture
def copy(tmp_path: Path):
    """Write records as JSON lines, read them, write them in another format with one more column, read that."""

    def copy_records(records: list[dict[str, Any]], suffix: str) -> list[dict[str, Any]]:
        given, out = tmp_path / "in.jsonl", tmp_path / f"out{suffix}"
        given.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
        rows = ReviewRows(InputFile(given), Columns(), "file")
        list(rows.chunks())
        fields = row_writer.fields(rows, {"confidence": float, "evidence": str})
        with row_writer.opened(out, suffix, fields) as write:
            for chunk, _ in rows.chunks():
                write([{**record, "confidence": None, "evidence": "да"} for record in chunk])
        return read_rows(out)

    return copy_records


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    "text",
    [
        "один\rдва",
        "один\r\nдва",
        "один\nдва",
        'он: "да"',
        "а, б; в",
        "а\x00б",
        "\u202eא 👗",
        " ",
        "None",
    ],
)
def test_a_text_of_any_characters_is_read_back_as_it_was(copy, suffix, text):
    assert [row["text"] for row in copy([{"text": text}, {"text": "ещё"}], suffix)] == [text, "ещё"]


HOSTILE = ["=1+1", "+7 и ещё", "-плохо", "@SUM(1)", "\t=1", "\r=1", "'=1", "''=1", "-5+cmd|'/C calc'!A0"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_of_a_csv_file_is_no_formula_and_other_files_keep_it_as_it_is(copy, text):
    (row,) = copy([{"text": text}], ".csv")
    assert row["text"] == f"'{text}"
    assert [copy([{"text": text}], suffix)[0]["text"] for suffix in (".jsonl", ".parquet")] == [text, text]


def test_numbers_in_a_csv_file_stay_numbers(copy):
    given = {"text": "а", "whole": -5, "real": -0.5, "told": "-5", "with_comma": "+1,5", "small": "-1e-3"}
    (row,) = copy([given], ".csv")
    assert {name: row[name] for name in given} == {name: str(value) for name, value in given.items()}


def test_the_name_of_a_column_is_no_formula_either(copy):
    (row,) = copy([{"text": "а", "=1+1": "б"}], ".csv")
    assert row["'=1+1"] == "б"


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_field_that_first_occurs_far_into_the_file_is_kept(copy, suffix):
    records: list[dict[str, Any]] = [{"text": "а", "empty": None} for _ in range(CHUNK_ROWS + 1)]
    records[-1] |= {"late": "поле", "empty": "уже нет"}
    rows = copy(records, suffix)
    assert len(rows) == CHUNK_ROWS + 1
    assert (rows[-1]["late"], rows[-1]["empty"]) == ("поле", "уже нет")


def test_columns_of_one_kind_keep_it_in_parquet_and_others_become_json(copy):
    records = [
        {"text": "а", "whole": 1, "real": 1, "flag": True, "mixed": 1, "huge": 10**30, "nested": [1]},
        {"text": "б", "whole": None, "real": 0.5, "mixed": "два", "nested": {"а": None}},
    ]
    first, second = copy(records, ".parquet")
    assert (first["whole"], first["real"], first["flag"]) == (1, 1.0, True)
    assert (first["mixed"], second["mixed"]) == ("1", "два")
    assert (first["huge"], second["huge"]) == (str(10**30), None)
    assert (first["nested"], second["nested"]) == ("[1]", '{"а":null}')


def test_nested_values_are_json_in_csv_and_absent_ones_are_empty(copy):
    first, second = copy([{"text": "а", "nested": {"а": [1, None]}, "flag": True}, {"text": "б"}], ".csv")
    assert (first["nested"], first["flag"]) == ('{"а":[1,null]}', "True")
    assert (second["nested"], second["flag"], second["confidence"]) == ("", "", "")


def test_a_parquet_file_keeps_its_types_except_nanoseconds(tmp_path):
    table = pa.table(
        {
            "text": pa.array(["а"], pa.large_string()),
            "number": pa.array([1], pa.int16()),
            "at": pa.array([1_000_000_123], pa.timestamp("ns", "Europe/Moscow")),
            "took": pa.array([1_000_000_123], pa.duration("ns")),
            "shop": pa.array(["x"]).dictionary_encode(),
            "price": pa.array([None], pa.decimal128(10, 2)),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    rows = ReviewRows(InputFile(tmp_path / "in.parquet"), Columns(), "file")
    ((records, _),) = rows.chunks()
    fields = row_writer.fields(rows, {})
    for suffix in FORMATS:
        with row_writer.opened(tmp_path / f"out{suffix}", suffix, fields) as write:
            write(records)
        assert len(read_rows(tmp_path / f"out{suffix}")) == 1
    written = pq.read_table(tmp_path / "out.parquet").schema
    kept = ("text", "number", "shop", "price")
    assert [written.field(name).type for name in kept] == [table.schema.field(name).type for name in kept]
    assert written.field("at").type == pa.timestamp("us", "Europe/Moscow")
    assert written.field("took").type == pa.duration("us")


def test_a_value_that_parquet_cannot_hold_is_told_with_its_column(tmp_path):
    fields = pa.schema([pa.field("n", pa.int64())])
    with (
        row_writer.opened(tmp_path / "out.parquet", ".parquet", fields) as write,
        pytest.raises(
            InputFileError, match=r"^column 'n': expected values that fit Parquet's int64, found others"
        ),
    ):
        write([{"n": 10**30}])
