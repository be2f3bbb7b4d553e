"""Files of reviews: every format that is read, and everything a file can have wrong with it."""

from __future__ import annotations

import codecs
import gzip
import json
import os
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from scripts.files.input_file import InputFile
from scripts.files.record import CHUNK_ROWS
from shared.errors import InputFileError
from tests.support.input_rows import fault, texts, wire


def records(path: Path, **options: Any) -> list[dict[str, Any]]:
    return [record for chunk in InputFile(path, **options).records() for record in chunk]


# What is read


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "id,text\n1,Платье\n2,Чайник\n"),
        ("a.CSV", "id,text\r\n1,Платье\r\n2,Чайник\r\n"),
        ("old_mac.csv", "id,text\r1,Платье\r2,Чайник\r"),
        ("semicolons.csv", "id;text\n1;Платье\n2;Чайник\n"),
        ("tabs.tsv", "id\ttext\n1\tПлатье\n2\tЧайник\n"),
        ("quoted.csv", '"id","text"\n"1","Платье"\n"2","Чайник"'),
        ("mark.csv", codecs.BOM_UTF8 + "id,text\n1,Платье\n2,Чайник\n".encode()),
        ("packed.csv.gz", gzip.compress("id,text\n1,Платье\n2,Чайник\n".encode(), mtime=0)),
        ("packed_in_secret.csv", gzip.compress("id,text\n1,Платье\n2,Чайник\n".encode(), mtime=0)),
        ("not_packed.csv.gz", "id,text\n1,Платье\n2,Чайник\n"),
        ("a.jsonl", '{"id": 1, "text": "Платье"}\n\n{"id": "2", "text": "Чайник"}'),
        (
            "a.ndjson",
            codecs.BOM_UTF8 + '{"id": 1, "text": "Платье"}\r\n{"id": 2, "text": "Чайник"}\r\n'.encode(),
        ),
        (
            "a.jsonl.gz",
            gzip.compress('{"id": 1, "text": "Платье"}\n{"id": 2, "text": "Чайник"}\n'.encode(), mtime=0),
        ),
        ("a.parquet", pa.table({"id": [1, 2], "text": ["Платье", "Чайник"]})),
        ("a.json", '[\n {\n  "id": 1,\n  "text": "Платье"\n },\n {"id": 2, "text": "Чайник"}\n]\n'),
        ("a.jsonl", '[{"id": 1, "text": "Платье"}, {"id": 2, "text": "Чайник"}]'),
        ("lines.json", '{"id": 1, "text": "Платье"}\n{"id": "2", "text": "Чайник"}\n'),
        (
            "array.json.gz",
            gzip.compress(' [{"id": 1, "text": "Платье"},{"id":2,"text":"Чайник"}]'.encode(), mtime=0),
        ),
    ],
)
def test_every_format_gives_the_same_rows(write, name, content):
    assert wire(write(content, name)) == [
        {"source": "file", "id": "1", "text": "Платье"},
        {"source": "file", "id": "2", "text": "Чайник"},
    ]


@pytest.mark.parametrize("encoding", ["cp1251", "windows-1251", "koi8-r", "utf-16", "utf-32"])
@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", "id,text\n1,Платье\n"), ("a.jsonl", '{"id": 1, "text": "Платье"}\n')]
)
def test_a_text_file_is_read_in_the_encoding_that_is_named(write, name, content, encoding):
    assert texts(write(content.encode(encoding), name), encoding=encoding) == ["Платье"]


@pytest.mark.parametrize("name", ["utf-8", "UTF8", "utf_8", "utf-8-sig"])
def test_every_spelling_of_utf_8_skips_the_byte_order_mark(write, name):
    assert texts(write(codecs.BOM_UTF8 + b"text\nok\n"), encoding=name) == ["ok"]


@pytest.mark.parametrize(("mark", "delimiter"), [("|", "|"), ("\t", "\\t"), (";", ";")])
def test_the_delimiter_can_be_named(write, mark, delimiter):
    assert texts(write(f"id{mark}text\n1{mark}да, и нет\n"), delimiter=delimiter) == ["да, и нет"]


@pytest.mark.parametrize(
    "text", ["две\nстроки", "две\r\nстроки", "знак\rпосреди", 'он сказал "да"', "а, б; в\tг", "а\x00б"]
)
def test_a_quoted_text_keeps_every_character(write, text):
    quoted = text.replace('"', '""')
    assert texts(write(f'id,text\n1,"{quoted}"\n2,ещё\n'.encode())) == [text, "ещё"]


@pytest.mark.parametrize(
    "value", ["007", "1e5", "1.0", "NA", "None", "nan", "null", "+7", "=1+1", "TRUE", " 1 "]
)
def test_no_cell_of_a_csv_is_taken_for_a_number_or_for_nothing(write, value):
    assert wire(write(f"id,text\n{value},{value}\n"))[0] == {"source": "file", "id": value, "text": value}


def test_a_row_that_is_too_short_has_empty_cells(write):
    assert records(write("text,id,extra\nа,1\nб\n")) == [
        {"text": "а", "id": "1", "extra": ""},
        {"text": "б", "id": "", "extra": ""},
    ]


def test_rows_come_in_chunks_of_ten_thousand(write):
    path = write("text\n" + "ок\n" * (CHUNK_ROWS + 1))
    assert [len(chunk) for chunk in InputFile(path).records()] == [CHUNK_ROWS, 1]


def test_the_share_that_has_been_read_ends_at_one(write):
    for name, content in (
        ("a.csv", "text\n" + "ок\n" * 50_000),
        ("a.parquet", pa.table({"text": ["ок"] * 50_000})),
    ):
        file = InputFile(write(content, name))
        shares = [file.fraction_read for _ in file.records()]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


# What is wrong with a file


def test_a_missing_file_is_named(tmp_path):
    assert (
        fault(tmp_path / "none.csv") == f"{tmp_path / 'none.csv'}: expected a file, found nothing of the kind"
    )


def test_a_folder_is_no_file(tmp_path):
    assert fault(tmp_path) == f"{tmp_path}: expected a file, found a folder"


def test_a_name_that_is_too_long_for_the_system_is_no_crash(tmp_path):
    assert "expected a readable file, found: File name too long" in fault(tmp_path / ("x" * 300 + ".csv"))


def test_a_file_that_may_not_be_read_is_told(write):
    path = write("text\nа\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert fault(path) == f"{path}: expected a readable file, found: Permission denied"


def test_another_kind_of_file_is_refused_with_the_kinds_that_are_read(write):
    assert "expected a name that ends in .csv, .tsv, .txt, .json, .jsonl, .ndjson, .parquet, .xlsx" in fault(
        write("x", "a.docx")
    )


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.csv.gz"])
def test_an_empty_file_is_told(write, name):
    assert fault(write(b"", name)).endswith("expected a header and at least one review, found an empty file")


def test_a_header_without_rows_is_told(write):
    assert fault(write("id,text\n")).endswith("expected at least one review, found a header and no rows")
    empty = pa.table({"id": pa.array([], pa.int64()), "text": pa.array([], pa.string())})
    assert fault(write(empty, "a.parquet")).endswith("found a header and no rows")


def test_blank_lines_are_told(write):
    assert fault(write("\n\n\n")).endswith("expected a header line, found blank lines")


def test_two_columns_whose_names_look_alike_are_of_one_name(write):
    sentence = "expected columns with different names, found more than one 'text'; rename one"
    assert fault(write("id;text;text \n1;а;б\n")).endswith(sentence)
    assert "expected one column 'id', found 'ID', 'Id'" in fault(write("ID;Id;text\n1;2;а\n"))
    assert wire(write("ID;id;text\n1;2;а\n"))[0]["id"] == "2", "the one that is called exactly so"


def test_two_columns_of_one_name_are_refused(write):
    sentence = "expected columns with different names, found more than one 'text'; rename one"
    assert fault(write("id,text,text\n1,а,б\n")).endswith(sentence)
    table = pa.Table.from_arrays([pa.array(["а"]), pa.array(["б"])], names=["text", "text"])
    assert fault(write(table, "a.parquet")).endswith(sentence)


def test_columns_without_a_name_are_no_duplicates(write):
    assert texts(write(",,text\n0,1,а\n")) == ["а"]


def test_bytes_that_are_no_utf_8_among_others_that_are_are_told_with_the_line(write):
    path = write("id,text\n1,Платье и чайник\n".encode() + b"2,\xff\n")
    assert fault(path) == (
        f"{path}, line 3: expected text in utf-8, found bytes that are not; mend that line, or name --encoding"
    )


def test_damage_far_into_a_file_is_told_with_the_line(write):
    path = write("text\nПлатье\n".encode() + b"ok\n" * 100_000 + b"\xff\n")
    assert fault(path).startswith(f"{path}, line 100003: expected text in utf-8")


def test_damage_in_json_lines_is_told_with_the_line(write):
    path = write('{"text": "Платье"}\n'.encode() + b'{"text": "\xff"}\n', "a.jsonl")
    assert fault(path).startswith(f"{path}, line 2: expected text in utf-8")


def test_an_encoding_that_is_none_of_the_usual_is_refused_rather_than_guessed(write):
    assert (
        "line 2: expected text in utf-8, utf-16 or cp1251, found bytes that are none of these; mend that"
        in fault(write("id,text\n1,Платье село\n".encode("koi8-r")))
    )
    of_macintosh = write("id;text\n1;Простыня линяет\n".encode("mac-cyrillic"))
    assert "or name the file's encoding with --encoding, for example koi8-r or mac-cyrillic" in fault(
        of_macintosh
    )


def test_an_encoding_that_is_named_against_what_the_file_certainly_is_is_refused(write):
    sentence = "expected text in cp1251, found utf-8; leave out --encoding"
    assert fault(write("id,text\n1,Платье\n"), encoding="cp1251").endswith(sentence)
    assert fault(write("id,text\n1,Платье\n".encode("utf-16")), encoding="utf-8").endswith(
        "found utf-16; leave out --encoding"
    )


def test_a_wrong_encoding_that_was_asked_for_is_told(write):
    assert "expected text in ascii, found utf-8; leave out" in fault(write("text\nа\n"), encoding="ascii")
    given = write("text\nа\n".encode("cp1251"))
    assert "expected text in ascii, found bytes that are not; leave out --encoding" in fault(
        given, encoding="ascii"
    )


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13", "", "utf-8\x00"])
def test_an_encoding_that_python_does_not_know_is_refused(write, encoding):
    assert fault(write("text\nа\n"), encoding=encoding) == (
        f"--encoding: expected an encoding of text that Python knows, such as cp1251, found {encoding!r}"
    )


@pytest.mark.parametrize("delimiter", ["", "||", '"', "\n"])
def test_a_delimiter_that_cannot_be_one_is_refused(write, delimiter):
    assert fault(write("text\nа\n"), delimiter=delimiter).startswith("--delimiter: expected one character")


@pytest.mark.parametrize("content", ["id,text\n1,один, два\n", "id,text\n1,один, два\n2,три\n"])
def test_a_first_row_with_an_unquoted_comma_is_refused_and_moves_no_cell(write, content):
    path = write(content)
    assert fault(path) == (
        f"{path}, line 2: expected 2 columns with ',' between them, as in the header, found 3; quote texts that hold "
        "',', or name another --delimiter, or the header's line with --header"
    )


def test_a_later_row_with_too_many_columns_is_told_with_its_line(write):
    assert "line 3: expected 2 columns" in fault(write("id,text\n1,а\n2,один, два\n"))


def test_a_quote_that_never_ends_is_told(write):
    path = write('id,text\n1,"а\n2,б\n')
    assert fault(path).startswith(
        f"{path}, line 2: expected quotes around whole cells, and doubled inside of them, "
    )
    assert (
        "one that opens in this line and never closes; if quotes are a part of the texts, add --quotes none"
        in (fault(path))
    )


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("{oops", "JSON is malformed"),
        ("[1]", "Expected `object`, got `array`"),
        ('{"text": "\\ud83d"}', "a lone surrogate"),
        ('{"text": NaN}', "JSON is malformed"),
        ('{"text": ' * 100_000, "nesting more than 100 levels deep"),
    ],
)
def test_a_malformed_json_line_is_told_with_its_number(write, line, found):
    path = write(f'{{"text": "а"}}\n\n{line}\n', "a.jsonl")
    assert fault(path).startswith(f"{path}, line 3: expected a JSON object, found: {found}")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('[{"id": 1}', ", line 1: expected a JSON array of objects, found: Input data was truncated"),
        ('[{"id": 1}, 2]', ", object 2: expected a JSON object, found: Expected `object`, got `int`"),
        ("[" * 100_000, ": expected a JSON array of objects, found: nesting more than 100 levels deep"),
        ('{\n "reviews": []\n}', ", line 1: expected a JSON object, found: Input data was truncated"),
    ],
)
def test_a_malformed_json_array_is_told_with_the_object(write, content, found):
    path = write(content, "a.json")
    assert fault(path).startswith(f"{path}{found}")


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("a.jsonl", '{"text": "а"}\n{"text": "б", "text": "в"}\n', ", line 2"),
        ("a.json", '[{"id": 1, "text": "а"}, {"id": 1, "text": "б", "id": 2}]', ", object 2"),
        ("a.json", '[{"id": 1, "text": {"a": 1, "a": 2}, "a": 1}]', ", object 1"),
    ],
)
def test_a_name_twice_in_a_json_object_is_refused_where_one_value_would_be_lost(write, name, content, where):
    path = write(content, name)
    assert fault(path).startswith(f"{path}{where}: expected fields with different names, found")


def test_a_name_that_stands_in_a_text_or_deeper_is_not_there_twice(write):
    rows = write('[{"id": 1, "text": "он \\"id\\" и \\"text\\"", "more": {"id": 2, "text": 3}}]', "a.json")
    assert texts(rows) == ['он "id" и "text"']


def test_a_fault_in_a_json_array_is_told_with_its_line(write):
    object_ = ' {"id": 1, "text": "Сапоги"}'
    for content, line, what in (
        (f"[\n{object_},\n{object_},\n]\n", 4, "trailing comma in array"),
        (f"\n[\n{object_[:-1]},}},\n{object_}\n]\n", 3, "trailing comma in object"),
        (f"[\n{object_},\n{object_[:-4]}", 3, "Input data was truncated"),
    ):
        told = fault(write(content, "a.json"))
        assert f", line {line}: expected a JSON array of objects, found: " in told
        assert what in told
        assert told.endswith("; mend it there, or export the file anew")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
@pytest.mark.parametrize("damage", ["cut", "cut in its header", "changed"])
def test_a_damaged_gzip_file_is_told(write, name, damage):
    chance = random.Random(3)
    lines = [json.dumps({"text": chance.randbytes(30).hex()}) for _ in range(30_000)]
    whole = gzip.compress(("text\n" + "\n".join(lines) if "csv" in name else "\n".join(lines)).encode())
    damaged = {
        "cut": whole[: len(whole) // 2],
        "cut in its header": whole[:5],
        "changed": whole[:1_000] + bytes(6) + whole[1_006:],
    }[damage]
    assert "expected a whole gzip file, found a damaged or cut one" in fault(
        write(damaged, name), delimiter="|"
    )


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (
            b"PK\x03\x04" + bytes(100),
            "a workbook or a ZIP archive; give a workbook a name that ends in .xlsx or .ods",
        ),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "an old Excel workbook; give it a name that ends in .xls"),
        (b"PAR1" + bytes(100), "a Parquet file; give it a name that ends in .parquet"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_another_format_under_the_name_of_a_text_file_is_recognised(write, name, content, found):
    assert fault(write(content, name)).count(f"expected a text file, found {found}")


def test_a_damaged_parquet_file_is_told(write):
    chance = random.Random(3)
    path = write(pa.table({"text": [chance.randbytes(20).hex() for _ in range(20_000)]}), "a.parquet")
    whole = path.read_bytes()
    assert "expected a Parquet file, found" in fault(write(whole[:5_000], "cut.parquet"))
    assert "expected a Parquet file, found" in fault(write("id,text\n1,а\n", "csv.parquet"))
    changed = whole[:5_000] + b"\x99" * 200 + whole[5_200:]
    assert "expected a" in fault(write(changed, "changed.parquet"))


def test_texts_of_a_parquet_file_that_are_not_utf_8_are_told(write):
    offsets = pa.py_buffer(b"\x00\x00\x00\x00\x02\x00\x00\x00")
    broken = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\xff\xfe")])
    assert "expected texts in UTF-8, as Parquet prescribes" in fault(
        write(pa.table({"text": broken}), "a.parquet")
    )
    binary = pa.table({"text": [b"\xff\xfe"]})
    assert "column 'text': expected text in UTF-8, found other bytes" in fault(write(binary, "b.parquet"))


def test_a_file_that_changes_between_two_readings_is_refused(write):
    path = write("text\nа\n")
    file = InputFile(path)
    assert len(list(file.records())) == 1
    path.write_text("text\nа\nб\n")
    with pytest.raises(InputFileError, match=r"expected the file as it was, found it changed; start again$"):
        list(file.records())
