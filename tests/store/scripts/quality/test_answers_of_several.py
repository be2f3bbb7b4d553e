"""Answers of several people, and several answers of one: nothing is settled in silence, gold and label agree."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scripts.cli import app
from shared.errors import InputFileError
from shared.runtime import runtime
from shared.settings import load
from shared.store import gold
from shared.store import labels as stored_labels
from shared.store.reports import overview
from tests.support.stored import ask, review, take_reviews


@pytest.fixture(autouse=True)
def taxonomy(monkeypatch, database, database_url) -> int:
    """The taxonomy in use, and three stored reviews."""
    monkeypatch.setenv("OTZYV_DATABASE_URL", database_url)
    number = runtime.build(load(database_url=database_url), database).taxonomy_id
    take_reviews(database, number, *(review(name, f"отзыв {name}") for name in "123"))
    return number


def told(*arguments: object) -> str:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 0, result.output + repr(result.exception)
    return " ".join(result.output.split())


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert isinstance(result.exception, InputFileError), result.output
    return str(result.exception)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def export(
    path: Path, *annotations: tuple[int, int, dict[str, Sequence[str]]], **times: Sequence[str]
) -> Path:
    """Label Studio's export of the review 1, each annotation as its number, its person and choices by control."""
    made: list[dict[str, Any]] = []
    for place, (number, person, controls) in enumerate(annotations):
        results = [
            {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": choices}}
            for name, choices in controls.items()
        ]
        when = {name: values[place] for name, values in times.items()}
        made.append({"id": number, "completed_by": person, "result": results, **when})
    task = {"id": 7, "data": {"id": "1", "source": "shop", "text": "отзыв 1"}, "annotations": made}
    return written(path, json.dumps([task], ensure_ascii=False))


def settled(database: Any) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Gold as it counts, and labels, by review: they never differ."""
    found = ask(
        database,
        "SELECT external_id, settled FROM gold JOIN reviews r ON r.id = review_id WHERE settled IS NOT NULL ORDER BY 1",
    )
    labels = ask(
        database,
        "SELECT external_id, category FROM labelled_reviews WHERE status = 'human' ORDER BY external_id",
    )
    return found, labels


def both(*rows: tuple[str, str]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    return [*rows], [*rows]


def test_another_controls_choice_is_no_answer(database, tmp_path):
    path = export(tmp_path / "e.json", (11, 1, {"category": ["одежда"], "second_best": ["обувь"]}))
    told("audit", "import", path)
    assert settled(database) == both(("1", "clothes"))
    told("audit", "import", path, "--control", "second_best")
    assert settled(database) == both(("1", "shoes"))


def test_of_two_controls_none_of_which_is_ours_one_has_to_be_named(database, tmp_path):
    path = export(tmp_path / "e.json", (11, 1, {"main": ["одежда"], "second": ["обувь"]}))
    assert "expected answers of one control, found main, second; name one with" in refused(
        "audit", "import", path
    )
    told("audit", "import", path, "--control", "main")
    assert settled(database) == both(("1", "clothes"))


def test_two_choices_in_one_answer_are_refused_or_both_kept(database, tmp_path):
    path = export(tmp_path / "e.json", (12, 1, {"category": ["одежда", "обувь"]}))
    sentence = refused("audit", "import", path)
    assert "row 1" in sentence
    assert "expected one category for the review 'shop/1', found clothes and shoes by 1" in sentence
    assert "--disagreements keep" in sentence
    assert ask(database, "SELECT count(*) FROM gold") == [(0,)]
    assert "undecided: 1 review" in told("audit", "import", path, "--disagreements", "keep")
    assert ask(database, "SELECT category, also FROM gold") == [("clothes", ["shoes"])]
    assert settled(database) == both()


def test_two_choices_in_label_studios_csv_are_found_as_well(database, tmp_path):
    cell = '"{""choices"": [""одежда"", ""обувь""]}"'
    path = written(tmp_path / "e.csv", f"id,annotator,annotation_id,category\n1,anna,1,{cell}\n")
    assert "found clothes and shoes by anna in row 2" in refused("audit", "import", path)


def test_two_people_who_disagree_are_refused_or_both_kept_until_a_third_decides(database, taxonomy, tmp_path):
    path = export(tmp_path / "e.json", (13, 1, {"category": ["обувь"]}), (14, 2, {"category": ["одежда"]}))
    assert "found shoes by 1 in row 1; clothes by 2 in row 1" in refused("audit", "import", path)
    assert ask(database, "SELECT count(*) FROM gold") == [(0,)]
    assert "2 answers taken in (2 new): 0 reviews are gold" in told(
        "audit", "import", path, "--disagreements", "keep"
    )
    assert ask(database, "SELECT annotator, category FROM gold ORDER BY 1") == [
        ("1", "shoes"),
        ("2", "clothes"),
    ]
    assert settled(database) == both()
    third = written(tmp_path / "t.csv", "id,answer,annotator\n1,одежда,3\n")
    assert "shoes by 1 taken in before" in refused("audit", "import", third)
    told("audit", "import", third, "--disagreements", "keep")
    assert settled(database) == both(("1", "clothes"))
    with database.transaction() as cursor:
        assert [row.category for row in gold.rows(cursor, taxonomy)] == ["clothes"]
        assert gold.count(cursor, taxonomy) == 1


def test_a_label_of_one_person_that_another_contradicts_is_for_a_person_again(database, taxonomy, tmp_path):
    first = written(tmp_path / "1.csv", "id,answer,annotator\n1,обувь,anna\n2,обувь,anna\n")
    other = written(tmp_path / "2.csv", "id,answer,annotator\n1,одежда,boris\n2,обувь,boris\n")
    told("audit", "import", first)
    assert settled(database) == both(("1", "shoes"), ("2", "shoes"))
    told("audit", "import", other, "--disagreements", "keep")
    assert settled(database) == both(("2", "shoes"))
    assert ask(database, "SELECT category, status FROM labelled_reviews WHERE external_id = '1'") == [
        ("shoes", "needs_review")
    ]
    with database.transaction() as cursor:
        assert [row.category for row in gold.rows(cursor, taxonomy)] == ["shoes"]
        assert len(stored_labels.teaching(cursor, taxonomy)) == 0
        counted = {(row.stage, row.status): row.count for row in overview.funnel(cursor, taxonomy)}
        assert counted == {("people", "human"): 1, ("people", "needs_review"): 1}, "people's, not nobody's"
    told("audit", "import", first, "--disagreements", "keep")
    assert settled(database) == both(("2", "shoes")), "the same again decides nothing"


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_persons_correction_counts_wherever_it_stands_in_label_studios_csv(
    database, tmp_path, newest_first
):
    rows = [
        "1,anna,21,2026-11-28T10:00:00.5Z,2026-11-28T10:00:00.5Z,обувь",
        "1,anna,22,2026-11-28T11:00:00Z,2026-11-28T11:00:00Z,одежда",
    ]
    ordered = rows[::-1] if newest_first else rows
    head = "id,annotator,annotation_id,created_at,updated_at,category"
    path = written(tmp_path / "e.csv", "\n".join([head, *ordered, ""]))
    assert "left out: 1 other answer of the same people" in told("audit", "import", path)
    assert settled(database) == both(("1", "clothes"))


def test_an_annotation_that_was_changed_later_counts_in_label_studios_json(database, tmp_path):
    path = export(
        tmp_path / "e.json",
        (31, 1, {"category": ["одежда"]}),
        (32, 1, {"category": ["обувь"]}),
        updated_at=["2026-11-28T12:00:00Z", "2026-11-28T11:00:00Z"],
    )
    told("audit", "import", path)
    assert settled(database) == both(("1", "clothes"))


def test_different_answers_of_one_person_without_time_or_number_are_refused(database, tmp_path):
    path = written(tmp_path / "a.csv", "id,answer,annotator\n1,обувь,anna\n1,одежда,anna\n")
    for more in ((), ("--disagreements", "keep")):
        assert "row 3: expected one answer by anna about the review '1', or times" in refused(
            "audit", "import", path, *more
        )
    same = written(tmp_path / "b.csv", "id,answer,annotator\n1,обувь,anna\n1,обувь,anna\n")
    told("audit", "import", same)
    assert settled(database) == both(("1", "shoes"))


def test_a_time_that_is_none_is_refused_with_its_row(tmp_path):
    path = written(tmp_path / "a.csv", "id,answer,updated_at\n1,обувь,yesterday\n")
    assert (
        "row 2: expected a time of the answer in ISO 8601, or as 28.11.2026 10:16, found 'yesterday'"
        in refused("audit", "import", path)
    )


def test_imported_labels_of_one_review_are_settled_by_the_same_rule(database, tmp_path):
    head = "id,category,confidence,annotator,annotation_id\n"
    differing = written(tmp_path / "d.csv", f"{head}1,обувь,0.9,a,1\n1,одежда,0.8,b,2\n")
    assert "expected one category for the review '1', found shoes by a in row 2" in refused(
        "labels", "import", differing
    )
    corrected = written(tmp_path / "c.csv", f"{head}1,обувь,0.9,a,2\n1,одежда,0.8,a,1\n2,обувь,0.9,,\n")
    assert "left out: 1 row of c.csv repeats a review" in told("labels", "import", corrected)
    repeated = written(tmp_path / "r.csv", "id,category,confidence\n3,обувь,0.9\n3,обувь,0.6\n")
    told("labels", "import", repeated)
    found = ask(
        database,
        "SELECT external_id, category, round(confidence::numeric, 2)::text FROM labelled_reviews ORDER BY external_id",
    )
    assert found == [("1", "shoes", "0.90"), ("2", "shoes", "0.90"), ("3", "shoes", "0.60")]


def test_a_gold_file_in_which_people_differ_is_refused_and_a_correction_counts(tmp_path):
    differing = written(tmp_path / "g.csv", "id,text,category,annotator\n1,туфли,обувь,a\n1,туфли,одежда,b\n")
    sentence = refused("evaluate", "--gold", differing, "--stage", "keywords")
    assert (
        "expected one category for the review 1, found shoes by a in row 2; clothes by b in row 3" in sentence
    )
    head = "id,text,category,annotator,updated_at\n"
    corrected = written(
        tmp_path / "h.csv",
        f"{head}1,туфли,обувь,a,2026-11-28T11:00:00Z\n1,туфли,одежда,a,2026-11-28T10:00:00Z\n",
    )
    assert "1 row of h.csv repeats a review" in told("evaluate", "--gold", corrected, "--stage", "keywords")


def test_labels_in_a_file_that_differ_about_a_gold_review_are_refused(tmp_path):
    gold_file = written(tmp_path / "g.csv", "id,text,category\n1,туфли,обувь\n")
    labels = written(tmp_path / "l.csv", "id,category\n1,обувь\n1,одежда\n")
    assert "found another answer in row 2 and no order" in refused(
        "evaluate", "--gold", gold_file, "--labels", labels
    )


def test_guesses_in_a_file_of_labels_are_not_imported_as_labels(database, tmp_path):
    rows = "1,обувь,shoes,accepted\n2,одежда,clothes,needs_review\n3,,,rejected\n"
    said = told("labels", "import", written(tmp_path / "l.csv", f"id,category,category_slug,status\n{rows}"))
    assert "left out: 1 of 3 rows of l.csv, which have no answer" in said
    assert "left out: 1 row of l.csv with the status needs_review: a guess" in said
    assert ask(database, "SELECT external_id FROM labelled_reviews") == [("1",)]


@pytest.mark.parametrize("command", [("audit", "import"), ("labels", "import")])
def test_answers_whose_ids_are_those_of_other_reviews_are_refused(database, taxonomy, tmp_path, command):
    # JSON-MIN of Label Studio puts the task's own number into `id`.
    rows = [
        {"id": number, "source": "shop", "text": f"отзыв {number % 3 + 1}", "category": "обувь"}
        for number in (1, 2, 3)
    ]
    path = written(tmp_path / "min.json", json.dumps(rows, ensure_ascii=False))
    sentence = refused(*command, path)
    assert "row 1: expected the texts of the reviews, found that 3 of 3 rows have another text" in sentence
    assert ask(database, "SELECT count(*) FROM labels") == [(0,)]
    rows = [row | {"text": f"отзыв\r\n{row['id']}" if row["id"] != 2 else "исправлен"} for row in rows]
    path = written(tmp_path / "rows.json", json.dumps(rows, ensure_ascii=False))
    assert "note: 1 of 3 rows has another text than the review of its id, row 2" in told(*command, path)


@pytest.mark.parametrize("command", [("audit", "import"), ("labels", "import")])
def test_an_answer_about_a_text_of_before_is_left_out(database, taxonomy, tmp_path, command):
    take_reviews(database, taxonomy, review("1", "уже о другом"))
    path = written(tmp_path / "a.csv", "id,text,category\n1,отзыв 1,обувь\n2,отзыв 2,обувь\n")
    assert "about a text that has been replaced since" in told(*command, path)
    assert ask(database, "SELECT external_id FROM labelled_reviews") == [("2",)]
