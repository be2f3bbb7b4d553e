"""Ids that programs have changed: whole again, or refused, in every table."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from scripts.files.gold_file import read_gold
from scripts.files.input_file import InputFile
from scripts.files.review_rows import Columns, ReviewRows
from shared.errors import InputFileError
from shared.taxonomy import default_taxonomy
from tests.support.input_rows import fault, wire


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("1.23457E11", "kept only the first"),
        ("1,23457Е+11", "kept only the first"),  # with the letter of a Russian keyboard
        ("12.янв.2026", "made a date of it"),
        ("янв.2026", "made a date of it"),
        ("#Н/Д", "an error in its place"),
        ("#REF!", "an error in its place"),
        ("########", "an error in its place"),
    ],
)
def test_what_a_spreadsheet_has_made_of_an_id_is_refused(write, value, why):
    path = write(f"id;text\n17;а\n{value};б\n")
    assert fault(path).startswith(f"{path}, row 3: expected an id, found {value}: a spreadsheet has {why}")
    with pytest.raises(InputFileError, match=f"row 3: expected an id, found .*{why}"):
        read_gold(write(f"id;text;category\n1;а;обувь\n{value};б;обувь\n"), None, default_taxonomy())


@pytest.mark.parametrize("value", ["1e5", "12E4", "#5", "#A7", "дек", "1.5", "12-мая-ю"])
def test_an_id_that_only_looks_like_that_is_one(write, value):
    assert wire(write(f"id;text\n{value};а\n"))[0]["id"] == value


def test_long_numbers_that_all_end_in_zeros_have_lost_their_digits(write):
    path = write("id;text\n5;а\n1234567890123450000;б\n1234567890123460000;в\n")
    assert fault(path) == (
        f"{path}: expected ids, found 1234567890123450000, and zeros from the 16th digit on in every long one: a "
        "spreadsheet has lost those digits; export the file anew with that column as text, or add --without-ids"
    )
    assert len(wire(write("id;text\n1234567890123450000;б\n1234567890123460001;в\n"))) == 2


def test_whole_ids_that_pandas_has_written_beside_gaps_are_whole_again_in_text_too(write):
    assert [row["id"] for row in wire(write("id,text\n1.0,а\n,б\n3.0,в\n"))] == ["1", "row-2-9aa03233", "3"]
    assert [row["id"] for row in wire(write("id,text\n1.0,а\n1.1,б\n"))] == ["1.0", "1.1"]
    gold = write("id,text,category,annotator\n1.0,а,обувь,7.0\n,б,обувь,\n", "gold.csv")
    assert [row.id for row in read_gold(gold, None, default_taxonomy())] == ["1", ""]


def test_whole_decimals_of_a_database_are_whole_numbers(write):
    ids = pa.array([Decimal("12.000"), Decimal("12.500"), None], pa.decimal128(20, 3))
    rows = wire(write(pa.table({"id": ids, "text": ["а", "б", "в"]}), "a.parquet"))
    assert [row["id"] for row in rows] == ["12", "12.500", "row-3-b8012cb6"]


def test_rows_that_others_replace_are_told_before_the_work_and_refused_where_they_are_most(write, capsys):
    some = ReviewRows(InputFile(write("id,text\n1,а\n1,б\n2,в\n2,в\n")), Columns(), "file")
    some.check_ids()
    assert (
        "note: 1 of the first 4 rows is replaced by a later row with its id and another text"
        in capsys.readouterr().err
    )
    with pytest.raises(InputFileError, match=r"found that 2 of the first 3 rows .* with --id-column, or add"):
        ReviewRows(
            InputFile(write("article,text\n7,а\n7,б\n7,в\n")), Columns(id="article"), "file"
        ).check_ids()
    path = write("article,text\n7,а\n7,б\n7,в\n8,г\n")
    ReviewRows(InputFile(path), Columns(id="article"), "file").check_ids()
    ReviewRows(InputFile(path), Columns(without_ids=True), "file").check_ids()
