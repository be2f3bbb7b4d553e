"""Gold, answers and labels in files: what counts as an answer, what is left out and told, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.files.answer_file import read_answers
from scripts.files.gold_file import read_gold
from scripts.files.label_file import read_labels
from shared.errors import InputFileError
from shared.taxonomy import default_taxonomy

TAXONOMY = default_taxonomy()


def answers(path: Path, **more: Any) -> list[tuple[str, tuple[str, ...], str]]:
    """Each answer as its review, its categories and who gave it."""
    given = read_answers(path, TAXONOMY, "people", **more)
    return [(one.name, one.opinion.categories, one.opinion.annotator) for one in given]


def refused(path: Path, **more: Any) -> str:
    with pytest.raises(InputFileError) as error:
        answers(path, **more)
    return str(error.value)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def task(number: int, *annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A task as Label Studio exports it, whose number is not its review's."""
    data = {"audit": None, "source": "shop", "id": f"r{number}", "text": f"отзыв {number}"}
    return {"id": 100 + number, "data": data, "annotations": [*annotations], **more}


def annotation(
    *choices: str, by: int = 1, control: str = "category", skipped: bool = False
) -> dict[str, Any]:
    results = [{"from_name": control, "type": "choices", "value": {"choices": [*choices]}}] if choices else []
    return {"id": by, "completed_by": by, "was_cancelled": skipped, "result": results}


def export(*tasks: dict[str, Any]) -> str:
    return json.dumps(tasks, ensure_ascii=False, indent=1)


# Rows and tasks without an answer


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "id;answer\n1;обувь\n2;\n3;  \n"),
        ("a.json", '[{"id": 1, "answer": "обувь"}, {"id": 2, "answer": null}, {"id": 3}]'),
        ("b.json", '[{"id": 3}, {"id": 1, "category": "обувь"}, {"id": 2, "category": ""}]'),
    ],
)
def test_rows_without_an_answer_are_left_out_and_counted(write, capsys, name, content):
    path = write(content, name)
    assert answers(path) == [("1", ("shoes",), "people")]
    assert f"left out: 2 of 3 rows of {name}, which have no answer" in said(capsys)


def test_gold_without_a_category_is_left_out_and_counted_too(write, capsys):
    path = write("id;text;category\n1;Сапоги;обувь\n;;\n2;Чайник;\n", "gold.csv")
    assert [row.id for row in read_gold(path, None, TAXONOMY)] == ["1"]
    assert "left out: 2 of 3 rows of gold.csv, which have no answer" in said(capsys)


def test_tasks_that_were_skipped_or_only_predicted_are_counted_by_what_they_lack(write, capsys):
    path = write(
        export(
            task(1, annotation("обувь")),
            task(2, annotation("обувь", skipped=True)),
            task(3, predictions=[{"result": annotation("одежда")["result"]}]),
            task(4, annotation()),
            task(5, annotation("одежда", control="second_best")),
        ),
        "e.json",
    )
    assert answers(path) == [("shop/r1", ("shoes",), "1")]
    assert (
        "left out: 1 annotation that was skipped, 1 task that nobody has answered, "
        "2 annotations without a choice of the control category"
    ) in said(capsys)


# A JSON file is what it holds


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
def test_an_array_of_rows_is_no_export_of_label_studio_whatever_its_encoding(write, encoding):
    path = write('[{"id": 1, "category": "обувь", "annotator": "Анна"}]'.encode(encoding), "a.json")
    assert answers(path) == [("1", ("shoes",), "Анна")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("e.json", export(task(1, annotation("обувь")))),
        ("one.json", json.dumps(task(1, annotation("обувь")))),
        ("lines.jsonl", json.dumps(task(1, annotation("обувь")))),
        ("old.json", export({**task(1), "completions": [annotation("обувь")]})),
    ],
)
def test_tasks_are_known_by_what_they_hold(write, name, content):
    assert answers(write(content, name)) == [("shop/r1", ("shoes",), "1")]


def test_gold_and_labels_are_read_out_of_tasks_as_well(write):
    path = write(export(task(1, annotation("обувь")), task(2, annotation("одежда"))), "e.json")
    rows = read_gold(path, None, TAXONOMY)
    assert [(row.id, row.text, row.category) for row in rows] == [
        ("r1", "отзыв 1", "shoes"),
        ("r2", "отзыв 2", "clothes"),
    ]
    assert read_labels(path, rows, TAXONOMY) == (["shoes", "clothes"], ["shoes", "clothes"], 0)


def test_two_choices_are_never_one_of_them_wherever_they_stand(write):
    several = {"choices": ["одежда", "обувь"]}
    for name, content in (
        ("tasks.json", export(task(1, annotation("одежда", "обувь")))),
        ("min.json", export({"id": 1, "text": "а", "category": several})),
        ("list.json", export({"id": 1, "text": "а", "category": ["одежда", "обувь"]})),
        (
            "a.csv",
            'id,text,category\n1,а,"{""choices"": [""одежда"", ""обувь""]}"\n',
        ),
    ):
        path = write(content, name)
        assert [one[1] for one in answers(path)] == [("clothes", "shoes")]
        with pytest.raises(InputFileError, match=r"expected one category for .*, found clothes and shoes"):
            read_gold(path, None, TAXONOMY)


def test_a_control_is_a_column_of_a_table(write):
    path = write("id,category,second\n1,обувь,одежда\n", "a.csv")
    assert answers(path, control="second") == [("1", ("clothes",), "people")]
    assert "expected a column 'third', found 'id', 'category', 'second'" in refused(path, control="third")


def test_an_answer_goes_before_a_category_everywhere(write):
    path = write("id,text,category,answer\n1,Сапоги,одежда,обувь\n", "a.csv")
    assert answers(path) == [("1", ("shoes",), "people")]
    assert [row.category for row in read_gold(path, None, TAXONOMY)] == ["shoes"]


# Columns under other names


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("ID;Категория;Разметчик", "id from 'ID'; category from 'Категория'; annotator from 'Разметчик'"),
        ("id;category;worker", "annotator from 'worker'"),
        (
            "INPUT:id;OUTPUT:category;ASSIGNMENT:worker_id",
            "id from 'INPUT:id'; category from 'OUTPUT:category'; annotator from 'ASSIGNMENT:worker_id'",
        ),
    ],
)
def test_who_answered_is_found_under_other_names_and_that_is_told(write, capsys, header, told):
    path = write(f"{header}\n1;обувь;anna\n1;обувь;boris\n", "a.csv")
    assert answers(path) == [("1", ("shoes",), "anna"), ("1", ("shoes",), "boris")]
    assert f"columns: {told}" in said(capsys)


def test_two_columns_that_differ_in_case_are_not_chosen_between(write):
    path = write("ID;Id;category\n1;7;обувь\n", "a.csv")
    assert refused(path).endswith("expected one column 'id', found 'ID', 'Id'; rename the others")


def test_a_column_that_is_missing_is_told_beside_the_names_that_the_file_has(write):
    path = write("отзыв;ответ\nСапоги;обувь\n", "a.csv")
    assert "expected a column 'id', found 'отзыв', 'ответ'; rename one, or name with --header" in refused(
        path
    )
    path = write('[{"text": "Сапоги", "answer": "обувь"}]', "a.json")
    assert refused(path).endswith("expected a column 'id', found 'text', 'answer'; rename one")


# Times, doubts, sources, damage


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("28.11.2026 12:00", "28.11.2026 11:00"),
        ("2026-11-28T12:00:00Z", "2026-11-28T14:59:00+03:00"),
        ("1795860060", "1795860000000"),
        ("46354,5", "46354,25"),
        ("2026-11-28 12:00", "28.11.2026"),
    ],
)
def test_answers_are_ordered_by_their_times_however_these_are_written(write, first, second):
    path = write(f"id;text;category;updated_at\n1;а;обувь;{first}\n1;а;одежда;{second}\n", "gold.csv")
    assert [row.category for row in read_gold(path, None, TAXONOMY)] == ["shoes"]


def test_doubt_is_said_in_words_that_are_known(write):
    path = write("id;text;category;ambiguous\n1;а;обувь;Да\n2;б;обувь;нет\n3;в;обувь;\n", "gold.csv")
    assert [row.ambiguous for row in read_gold(path, None, TAXONOMY)] == [True, False, False]
    path = write("id;text;category;ambiguous\n1;а;обувь;может\n", "gold.csv")
    with pytest.raises(InputFileError, match="row 2: expected 1 or 0, yes or no in the column ambiguous"):
        read_gold(path, None, TAXONOMY)


def test_one_id_of_two_sources_is_two_reviews(write):
    write("source,id,text\nwb,1,Сапоги\nozon,1,Чайник\n", "reviews.csv")
    gold = write("source,id,category\nozon,1,бытовая техника\nwb,1,обувь\n", "gold.csv")
    rows = read_gold(gold, None, TAXONOMY)
    assert [(row.text, row.category) for row in rows] == [
        ("Чайник", "home_appliances"),
        ("Сапоги", "shoes"),
    ]
    labels = write("source,id,category\nwb,1,одежда\nlamoda,1,посуда\n", "labels.csv")
    assert read_labels(labels, rows, TAXONOMY) == ([None, "clothes"], [None, "clothes"], 1)
    without = write("id,category\n1,обувь\n", "gold2.csv")
    with pytest.raises(InputFileError, match="found one of each of wb, ozon; add a column source"):
        read_gold(without, None, TAXONOMY)


def test_an_id_with_nul_characters_is_a_damaged_file(write):
    path = write("id;category\n1;обувь\n2\0;обувь\n", "a.csv")
    assert "row 3: expected an id, found one with NUL characters: the file is damaged there" in refused(path)


@pytest.mark.parametrize("value", ["01.фев", "янв.26", "1-Feb", "Feb-26"])
def test_an_id_of_which_a_spreadsheet_has_made_a_date_is_refused(write, value):
    path = write(f"id;category\n{value};обувь\n", "a.csv")
    assert f"row 2: expected an id, found {value}: a spreadsheet has made a date of it" in refused(path)


def test_rows_are_named_by_their_lines(write):
    path = write('id;text;category\n1;"Сапоги\n\nи ещё";обувь\n\n2;Чайник;техника\n', "gold.csv")
    with pytest.raises(InputFileError, match=r"row 6: Taxonomy .* found 'техника'"):
        read_gold(path, None, TAXONOMY)


# Controls that are not plain choices, and data with other names


def result(control: str, kind: str, value: Any) -> dict[str, Any]:
    return {"from_name": control, "type": kind, "value": {kind: value}}


@pytest.mark.parametrize(
    "said",
    [
        [result("category", "taxonomy", [["Товары", "обувь"]])],
        [result("category", "choices", [["Товары", "обувь"]])],
        [result("category", "taxonomy", [["обувь"]]), result("second_best", "choices", ["одежда"])],
        [result("category", "choices", ["обувь"]), {"type": "relation", "from_id": "a", "to_id": "b"}],
        [result("category", "choices", ["обувь"]), result("stars", "rating", 4)],
    ],
)
def test_the_control_s_answer_is_taken_whatever_kind_of_control_it_is(write, said):
    path = write(export(task(1, {"id": 1, "completed_by": 1, "result": said})), "e.json")
    assert answers(path) == [("shop/r1", ("shoes",), "1")]


def test_two_places_in_a_taxonomy_are_two_answers(write):
    said = [result("category", "taxonomy", [["обувь"], ["Товары", "одежда"]])]
    path = write(export(task(1, {"id": 1, "completed_by": 1, "result": said})), "e.json")
    assert answers(path) == [("shop/r1", ("shoes", "clothes"), "1")]


@pytest.mark.parametrize(
    "cell",
    ['[["Товары", "обувь"]]', '["обувь"]', '[{"taxonomy": [["обувь"]]}]', '{"choices": ["обувь"]}', "обувь"],
)
def test_a_table_of_label_studio_names_categories_in_several_ways(write, cell):
    quoted = cell.replace('"', '""')
    assert answers(write(f'id,category\n1,"{quoted}"\n')) == [("1", ("shoes",), "people")]


def test_an_only_control_of_another_name_answers_and_is_told(write, capsys):
    assert answers(write(export(task(1, annotation("обувь", control="товар"))), "e.json"))
    assert "columns: category from the control 'товар'" in said(capsys)


def test_tasks_are_tasks_though_the_first_has_no_annotations(write, capsys):
    first = {"id": 5, "data": {"id": "r5", "text": "б"}}
    assert answers(write(export(first, task(1, annotation("обувь"))), "e.json")) == [
        ("shop/r1", ("shoes",), "1")
    ]
    assert "left out: 1 task that nobody has answered" in said(capsys)


def test_data_of_tasks_have_their_names_in_any_case_and_in_russian(write):
    given = {"id": 1, "data": {"ID": "7", "Отзыв": "Сапоги"}, "annotations": [annotation("обувь")]}
    path = write(export(given), "e.json")
    assert answers(path) == [("7", ("shoes",), "1")]
    assert [(row.id, row.text) for row in read_gold(path, None, TAXONOMY)] == [("7", "Сапоги")]


# Gold without a text, and texts that share an id


def test_gold_without_a_text_is_told_and_refused_where_there_is_none_at_all(write, capsys):
    path = write("id,text,category\n1,Сапоги,обувь\n2,  ,обувь\n", "gold.csv")
    assert [row.text for row in read_gold(path, None, TAXONOMY)] == ["Сапоги", "  "]
    assert "note: 1 of 2 rows of gold.csv have no text: it counts as empty" in said(capsys)
    with pytest.raises(InputFileError, match="expected a text in one row at least, found none"):
        read_gold(write("text,category\n,обувь\n", "gold.csv"), None, TAXONOMY)


def test_two_texts_with_one_id_are_refused_in_gold_itself_too(write):
    path = write("id,text,category\n1,Сапоги,обувь\n1,Чайник,обувь\n", "gold.csv")
    with pytest.raises(InputFileError, match=r"row 3: expected one text for an id, found another one of '1'"):
        read_gold(path, None, TAXONOMY)
    twice = write("id,text,category\n1,Сапоги тёплые,обувь\n1,Сапоги  тёплые ,обувь\n", "gold.csv")
    assert len(read_gold(twice, None, TAXONOMY)) == 1


# What other tools and programs write


def test_answers_that_toloka_has_rejected_are_left_out_and_told(write, capsys):
    path = write(
        "INPUT:id\tOUTPUT:category\tASSIGNMENT:worker_id\tASSIGNMENT:status\n"
        "1\tодежда\tw1\tREJECTED\n1\tобувь\tw2\tACCEPTED\n",
        "a.tsv",
    )
    assert answers(path) == [("1", ("shoes",), "w2")]
    assert "left out: 1 row whose answer was rejected (ASSIGNMENT:status)" in said(capsys)


def test_numbers_that_pandas_has_made_fractions_of_are_numbers_still(write):
    path = write(
        "text,category,annotator,annotation_id,ambiguous\nСапоги,одежда,1.0,9.0,0.0\nСапоги,обувь,1.0,10.0,1.0\n",
        "gold.csv",
    )
    assert [(row.category, row.ambiguous) for row in read_gold(path, None, TAXONOMY)] == [("shoes", True)]


def test_labels_of_which_none_is_about_gold_are_refused_not_measured(write):
    gold = read_gold(write("id,source,text,category\n1,shop,Сапоги,обувь\n", "gold.csv"), None, TAXONOMY)
    other = write("id,source,category\n1,labels,обувь\n", "labels.csv")
    with pytest.raises(
        InputFileError, match="found none with the source and id of one; check that both files"
    ):
        read_labels(other, gold, TAXONOMY)
    assert read_labels(write("id,category\n1,обувь\n", "labels.csv"), gold, TAXONOMY)[2] == 0
