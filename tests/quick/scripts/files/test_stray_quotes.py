"""Quotes that are parts of texts swallow no rows, and long texts in quotes are not taken for rows."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from scripts.files.input_file import InputFile
from scripts.files.review_rows import Columns
from tests.support.input_rows import fault, texts

STRAY = [
    # ids of letters, and UUIDs
    'id,text\na,"Чайник хорош\nb,Кроссовки жмут\nc,Монитор яркий"\nd,Плед\n',
    "id,text\n"
    '3f2a8c1e-aa01-4b5c-9d10-0123456789ab,"Чайник хорош\n'
    '0b1c2d3e-bb02-4b5c-8d10-ba9876543210,Кроссовки жмут"\n'
    "9b1c2d3e-cc03-4b5c-8d10-ba9876543210,Плед\n",
    # words beside the text
    'text;category\n"Чайник хорош;дом\nКроссовки жмут;обувь\nМонитор яркий";техника\nПлед;дом\n',
    'text,category\n"Чайник хорош,бытовая техника\nКроссовки жмут",обувь\nПлед,текстиль\n',
    # two rows with the text first
    'text,id\n"Чайник хорош,7\nКроссовки жмут",12\nПлед,8\n',
    # nothing beside the text
    'text\n"Чайник хорош\nКроссовки жмут"\nПлед\n',
]


def rows_of(path: Path, **options: str) -> int:
    return sum(len(chunk) for chunk in InputFile(path, **options).records())  # type: ignore[arg-type]


@pytest.mark.parametrize("lines", STRAY)
def test_rows_between_stray_quotes_are_found_by_what_stands_beside_the_text(write, lines):
    path = write(lines)
    assert fault(path).startswith(f"{path}, line 2: expected a row, found a quote that opens in this line")
    assert fault(path).endswith("add --quotes none, and if all of this is one text, --quotes always")
    assert rows_of(path, quotes="none") == lines.count("\n") - 1
    assert rows_of(path, quotes="always") < lines.count("\n") - 1


@pytest.mark.parametrize("place", [1, 3])
def test_a_quote_inside_of_a_text_shows_that_the_file_does_not_quote(write, place):
    lines = ["text,word", '"Чайник, да', 'Плед тёплый",нет', "Юбка, да", "Шуба, нет"]
    lines.insert(place, 'Монитор 24" яркий, да')
    path = write("\n".join(lines))
    assert "with another one inside of a text in line" in fault(path, Columns(text=("text",)))
    assert rows_of(path, quotes="none") == 5


def test_a_quote_inside_of_another_text_does_not_make_rows_of_lines_that_cannot_be_any(write):
    assert texts(write('id,text\n2,"Чайник\nхорош"\n1,Монитор 24" яркий\n')) == [
        "Чайник\nхорош",
        'Монитор 24" яркий',
    ]


def test_a_delimiter_in_quotes_does_not_take_a_cell_from_its_row(write):
    path = write('id\ttext\tcategory\n1\t"Чайник\tтехника"\n2\tПлед\tтекстиль\n')
    assert fault(path) == (
        f"{path}, line 2: expected 3 columns as in the header, found 2, and '\\t' in quotes; if quotes are a part of "
        "the texts, add --quotes none, and if they are around cells, --quotes always"
    )
    assert rows_of(path, quotes="always") == rows_of(path, quotes="none") == 2


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        ('id,text,"note\n1,Чайник,x"\n2,Плед,y\n', 1),
        ('id,"text\n1,Чайник"\n2,Плед\n', 1),
        ('id,text,rating\n1,"Чайник,5\n2,Плед"\n3,Шуба,4\n', 2),
    ],
)
def test_a_quote_in_the_header_or_in_a_short_row_swallows_none_either(write, lines, where):
    path = write(lines)
    assert fault(path).startswith(
        f"{path}, line {where}: expected a row, found a quote that opens in this line"
    )


def test_a_name_of_a_column_may_go_over_several_lines(write):
    path = write('id,"Текст\nотзыва","Дата,\nкогда"\n1,а,x\n')
    assert texts(path) == ["а"]
    assert "found none from line 9 on; name it with --header" in fault(path, header=9)


LONG = [
    "Жмут,\nно тёплые",
    "Размер 42,5\nмал",
    "Спасибо ;)\nвсё хорошо",
    "ок,спасибо\nберу, и вам советую\nда",
    "а\n\nб",
]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    "beside",
    [lambda text: [7, text], lambda text: [text, 7], lambda text: [text, "обувь"], lambda text: [text]],
)
def test_long_texts_in_quotes_are_read_as_csv_is_written(write, delimiter, beside):
    given = ["Хорошо, быстро; да\tнет", 'он сказал "да"', *LONG]
    written = io.StringIO()
    table = csv.writer(written, delimiter=delimiter, lineterminator="\n")
    table.writerows(
        [["id", "text"] if beside("")[0] == 7 else ["text", "id"][: len(beside(""))], *map(beside, given)]
    )
    assert texts(write(written.getvalue())) == given


def test_of_one_column_it_is_said_that_rows_go_over_several_lines(write, capsys):
    assert texts(write('text\n"да, нет"\n"две\nстроки"\n')) == ["да, нет", "две\nстроки"]
    assert (
        "note: 1 row goes over several lines in quotes, from line 3 on; if each line is a row, add --quotes none"
        in capsys.readouterr().err
    )


def test_a_header_that_is_repeated_is_no_review_and_is_told(write, capsys):
    assert texts(write("\ufeffid,text\n1,а\n\ufeffid,text\n2,б\nid,text\n")) == ["а", "б"]
    assert "left out: 2 rows that repeat the header, the first in line 3" in capsys.readouterr().err
    assert texts(write("text\nа\ntext\n")) == ["а", "text"]


def test_a_mark_of_the_encoding_is_no_part_of_a_name(write):
    content = "\ufeffid,text\n1,а\n"
    assert [rows["id"] for rows in InputFile(write(f"\ufeff{content}")).records().__next__()] == ["1"]
    path = write(content.encode("utf-16-le"))
    assert [rows["id"] for rows in InputFile(path, encoding="utf-16-le").records().__next__()] == ["1"]


def test_capitals_of_the_macintosh_alone_tell_its_encoding(write):
    path = write("id;text\n1;Чай, хороший\n2;Плед\n".encode("mac-cyrillic"))
    assert "for example koi8-r or mac-cyrillic, or cp1251 where words are few" in fault(path)
    assert texts(path, encoding="mac-cyrillic") == ["Чай, хороший", "Плед"]
