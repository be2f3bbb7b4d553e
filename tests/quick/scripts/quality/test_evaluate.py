"""Gold sets: which files are understood, and what is said about those that are not."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.files.gold_file import GoldRow, read_gold
from scripts.quality.evaluate import by_source
from scripts.quality.evaluation_report.findings import ALL
from shared.errors import InputFileError
from shared.taxonomy import Taxonomy

TAXONOMY = Taxonomy.parse(
    "name: test\ncategories:\n  - {slug: shoes, title: Обувь}\n  - {slug: clothes, title: Одежда}\n"
)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_titles_and_slugs_are_both_understood(tmp_path):
    gold = write(tmp_path / "gold.csv", "text,category\nкеды,обувь\nплатье,clothes\n")
    assert [(row.text, row.category) for row in read_gold(gold, None, TAXONOMY)] == [
        ("кеды", "shoes"),
        ("платье", "clothes"),
    ]


def test_texts_are_found_by_id_in_the_reviews_beside_the_gold_set(tmp_path):
    write(tmp_path / "reviews.csv", "id,source,text\n007,shop,кеды\n8,market,платье\n")
    gold = write(tmp_path / "gold.csv", "id,category,ambiguous\n8,одежда,1\n007,обувь,0\n")
    assert read_gold(gold, None, TAXONOMY) == [
        GoldRow("платье", "clothes", "market", True, "8"),
        GoldRow("кеды", "shoes", "shop", False, "007"),
    ]


def test_ids_match_whatever_type_their_files_give_them(tmp_path):
    pq.write_table(pa.table({"id": [7.0, 8.0], "text": ["кеды", "платье"]}), tmp_path / "reviews.parquet")
    gold = write(tmp_path / "gold.jsonl", json.dumps({"id": 8, "category": "одежда"}))
    assert [row.text for row in read_gold(gold, tmp_path / "reviews.parquet", TAXONOMY)] == ["платье"]


def test_a_text_that_is_missing_counts_as_empty(tmp_path):
    gold = write(
        tmp_path / "gold.jsonl", '{"text": null, "category": "обувь"}\n{"text": 5, "category": "обувь"}\n'
    )
    assert [row.text for row in read_gold(gold, None, TAXONOMY)] == ["", "5"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("text\nкеды\n", "expected a column 'category', found 'text'"),
        ("category\nобувь\n", "expected a column 'id', found 'category'"),
        (
            "id,category\n1,обувь\n",
            "expected a column 'text' or a reviews file, found neither; name it with --reviews",
        ),
        (
            "text,category\nкеды,одежды\n",
            "row 2: Taxonomy 'test': expected a slug or title, found 'одежды'. Did you",
        ),
        ("text,category\nкеды,\n", "expected a category in one row at least, found none; fill in"),
    ],
)
def test_a_gold_set_that_cannot_be_used_is_refused_in_one_sentence(tmp_path, content, sentence):
    gold = write(tmp_path / "gold.csv", content)
    with pytest.raises(InputFileError) as refused:
        read_gold(gold, None, TAXONOMY)
    assert str(gold) in str(refused.value)
    assert sentence in str(refused.value)


def test_ids_without_a_review_are_counted_and_the_first_is_named(tmp_path):
    write(tmp_path / "reviews.csv", "id,text\n1,кеды\n")
    gold = write(tmp_path / "gold.csv", "id,category\n1,обувь\n2,обувь\n3,обувь\n")
    with pytest.raises(InputFileError, match=r"2 are not there \(first: 2\)$"):
        read_gold(gold, None, TAXONOMY)


def test_scores_are_given_for_all_for_each_source_and_without_the_ambiguous():
    rows = [
        GoldRow("", "shoes", "a", False),
        GoldRow("", "shoes", "b", True),
        GoldRow("", "clothes", "b", False),
    ]
    scores = by_source(rows, ["shoes", "clothes", None])
    assert {name: (score.total, score.answered, score.right) for name, score in scores.items()} == {
        ALL: (3, 2, 1),
        "source a": (1, 1, 1),
        "source b": (2, 1, 0),
        "not ambiguous": (2, 1, 1),
    }


def test_a_review_that_is_there_twice_counts_once_and_that_is_told(tmp_path, capsys):
    gold = write(
        tmp_path / "gold.csv",
        "id,text,category\n1,кеды,обувь\n1,кеды,shoes\n2,кеды,обувь\n,платье,одежда\n,платье,одежда\n",
    )
    assert [row.id for row in read_gold(gold, None, TAXONOMY)] == ["1", "2", ""]
    assert "left out: 2 rows of gold.csv repeat a review of an earlier row" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "review"),
    [
        ("id,text,category\n1,кеды,обувь\n1,кеды,одежда\n", "the review 1"),
        ("text,category\nкеды,обувь\nкеды,одежда\n", "this text"),
    ],
)
def test_a_gold_set_that_contradicts_itself_is_refused_with_the_row(tmp_path, content, review):
    gold = write(tmp_path / "gold.csv", content)
    with pytest.raises(
        InputFileError,
        match=f"row 3: expected one answer about {review}, or times .* found another answer in row 2",
    ):
        read_gold(gold, None, TAXONOMY)
