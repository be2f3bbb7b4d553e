"""`otzyv audit`: labels drawn, checked in a table or in Label Studio, taken in as gold, and reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scripts.cli import app
from shared.errors import OtzyvError
from shared.labelling.labeller import Labeller
from shared.labelling.rules import Rules
from shared.runtime import runtime
from shared.settings import Settings, load
from shared.store import Database, gold
from shared.store import labels as stored_labels
from tests.support.row_files import fill_in, read_rows
from tests.support.stored import ByFirstLetter, ask, review, take_reviews

TEXTS = {"1": "туфли", "2": "туфли тесные", "3": "обруч", "=4": "туфли"}


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch, database_url: str) -> None:
    monkeypatch.setenv("OTZYV_DATABASE_URL", database_url)


@pytest.fixture
def number(database: Database, settings_of_database: Settings) -> int:
    """The taxonomy in use, with four labels: three accepted, one for people."""
    here = runtime.build(settings_of_database, database)
    store(database, here.taxonomy_id, TEXTS)
    return here.taxonomy_id


@pytest.fixture
def settings_of_database(database_url: str) -> Settings:
    return load(database_url=database_url)


def store(database: Database, taxonomy: int, texts: dict[str, str]) -> None:
    stored = take_reviews(database, taxonomy, *(review(name, text) for name, text in texts.items()))
    stages = {"keywords": ByFirstLetter()}
    Labeller(database, taxonomy, ("keywords",), stages, Rules(taxonomy, {})).run(
        "keywords", stored.first_stage
    )


def audit(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["audit", *map(str, arguments)])
    assert result.exit_code == 0, result.output + repr(result.exception)
    return " ".join(result.stdout.split())


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["audit", *map(str, arguments)])
    assert isinstance(result.exception, OtzyvError), result.output
    return str(result.exception)


def fill(path: Path, answers: dict[str, str]) -> None:
    """Write answers into a drawn table, each for the review of that id."""
    fill_in(path, lambda row: answers.get(row["id"].removeprefix("'"), ""))


def labels(database: Database) -> list[tuple[object, ...]]:
    return ask(
        database, "SELECT external_id, category, status, stage FROM labelled_reviews ORDER BY external_id"
    )


def test_checked_labels_become_gold_and_peoples_labels_and_are_reported(database, number, tmp_path):
    table = tmp_path / "audit.csv"
    assert "audit 1: 4 of 4 judged reviews" in audit("draw", "--n", 10, "--out", table)
    text = table.read_text(encoding="utf-8")
    assert ",'=4," in text, "no cell is a formula"
    shown = [value for row in read_rows(table) for name, value in row.items() if name != "allowed"]
    assert "обувь" not in shown, "nobody sees what is to be checked"
    fill(table, {"1": "обувь", "2": "одежда", "3": "Товары для детей", "=4": "shoes"})
    assert "4 answers taken in (4 new): 4 reviews" in audit("import", table, "--annotator", "anna")
    assert labels(database) == [
        ("1", "shoes", "human", None),
        ("2", "clothes", "human", None),
        ("3", "kids", "human", None),
        ("=4", "shoes", "human", None),
    ]
    with database.transaction() as cursor:
        assert [row.category for row in gold.rows(cursor, number)] == ["shoes", "clothes", "kids", "shoes"]
    told = json.loads(CliRunner().invoke(app, ["audit", "report", "--json"]).stdout)
    assert (told["drawn"], told["answered"]) == (4, 4)
    assert told["precision"]["accepted"]["share"] == pytest.approx(2 / 3)
    assert told["precision"]["stage keywords"]["checked"] == 3
    assert told["precision"]["needs_review"]["right"] == 0
    told = audit("report")
    assert "2 0.667" in told
    assert "weighted" in told
    assert "Precision is of all labels, not of those that were checked" in told


def test_the_same_answers_again_change_no_row(database, number, tmp_path):
    table = tmp_path / "audit.csv"
    audit("draw", "--out", table)
    fill(table, {"1": "обувь", "2": "одежда"})
    audit("import", table)
    query = "SELECT 'g', xmin::text FROM gold UNION ALL SELECT 'l', xmin::text FROM labels UNION ALL "
    query += "SELECT 'i', xmin::text FROM audit_items ORDER BY 1, 2"
    before = ask(database, query)
    assert "2 answers taken in (0 new, 2 there already): 2 reviews are gold" in audit("import", table)
    assert ask(database, query) == before
    fill(table, {"1": "обувь", "2": "обувь", "3": "обувь"})
    told = audit("import", table)
    assert (
        "3 answers taken in (1 new, 1 instead of an earlier one of the same person, 1 there already)" in told
    )


def test_answers_come_back_from_label_studio(database, number, tmp_path):
    tasks, export = tmp_path / "tasks.json", tmp_path / "export.json"
    audit("draw", "--out", tasks)
    assert '<Choice value="обувь"/>' in (tmp_path / "tasks.xml").read_text(encoding="utf-8")
    drawn = json.loads(tasks.read_text(encoding="utf-8"))
    assert {task["data"]["text"] for task in drawn} == set(TEXTS.values())
    for task in drawn:
        choice = {
            "from_name": "category",
            "to_name": "text",
            "type": "choices",
            "value": {"choices": ["одежда"]},
        }
        task["annotations"] = [
            {"completed_by": {"id": 1, "email": "anna@shop"}, "was_cancelled": False, "result": [choice]},
            {"completed_by": 2, "was_cancelled": True, "result": []},
        ]
    export.write_text(json.dumps(drawn), encoding="utf-8")
    assert "4 answers taken in" in audit("import", export)
    assert ask(database, "SELECT DISTINCT annotator FROM gold") == [("anna@shop",)]
    assert {row[1:3] for row in labels(database)} == {("clothes", "human")}


def test_a_plain_gold_file_of_stored_reviews_is_taken_in_too(database, number, tmp_path):
    plain = tmp_path / "gold.csv"
    plain.write_text("id,category,ambiguous\n1,обувь,1\n=4,одежда,0\n", encoding="utf-8")
    assert "2 answers taken in" in audit("import", plain)
    assert ask(database, "SELECT ambiguous FROM gold ORDER BY review_id") == [(True,), (False,)]


def test_an_answer_about_a_text_that_was_replaced_is_left_out_and_told(database, number, tmp_path):
    table = tmp_path / "audit.csv"
    audit("draw", "--out", table)
    fill(table, {"1": "обувь", "2": "обувь"})
    store(database, number, {"1": "огурцы"})
    told = CliRunner().invoke(app, ["audit", "import", str(table)])
    assert "1 answer taken in" in told.output
    assert "left out: 1 answer about a text that has been replaced" in " ".join(told.output.split())
    assert labels(database)[0] == ("1", "toys", "needs_review", "keywords")


def test_a_review_that_waits_for_a_stage_waits_no_more_once_a_person_has_labelled_it(
    database, number, tmp_path
):
    take_reviews(database, number, review("9", "лампа"))
    plain = tmp_path / "gold.csv"
    plain.write_text("source,id,category\nshop,9,электроника\n", encoding="utf-8")
    audit("import", plain)
    assert ask(database, "SELECT count(*) FROM waiting") == [(0,)]
    assert labels(database)[-2] == ("9", "electronics", "human", None)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("id,category\n1,обувь\n2,еда\n", "row 3: "),
        (
            "id,category\n1,обувь\n77,обувь\n",
            "row 3: expected one stored review with the id '77', found none",
        ),
        ("audit,id,answer\n9,1,обувь\n", "found audit 9, which is of another or none"),
        ("audit,id,answer\nx,1,обувь\n", "row 2: expected the number of an audit, found 'x'"),
        ("id,answer\n1,\n", "expected at least one answer, found none"),
        ("name,answer\n1,обувь\n", "expected a column 'id', found 'name', 'answer'"),
    ],
)
def test_one_bad_row_refuses_the_file_and_nothing_is_half_imported(
    database, number, tmp_path, content, sentence
):
    path = tmp_path / "answers.csv"
    path.write_text(content, encoding="utf-8")
    assert sentence in refused("import", path)
    assert ask(database, "SELECT count(*) FROM gold") == [(0,)]
    assert ask(database, "SELECT count(*) FROM labels WHERE status = 'human'") == [(0,)]


def test_what_is_not_label_studios_export_is_refused(number, tmp_path):
    path = tmp_path / "export.json"
    for content in ("{", "{}", "[1]", '[{"data": {"id": "1"}, "annotations": [{"result": [{}]}]}]'):
        path.write_text(content, encoding="utf-8")
        assert "expected " in refused("import", path)


def test_a_report_without_answers_says_what_comes_first(database, number, tmp_path):
    assert "nothing to report yet: `otzyv audit draw` draws some" in audit("report")
    audit("draw", "--out", tmp_path / "a.csv")
    told = audit("report")
    assert (
        "0 of 4 drawn labels have been checked 4 have no answer yet nothing to report yet: `otzyv audit"
        in told
    )


def test_a_report_says_where_the_labels_are_that_none_of_its_rows_counts(database, number, tmp_path):
    store(database, number, {"6": "туфли", "7": "туфли", "8": "туфли"})
    table = tmp_path / "audit.csv"
    audit("draw", "--n", 10, "--out", table)
    with database.transaction() as cursor:
        cursor.execute("UPDATE audit_items SET category = NULL WHERE review_id = 3")
    fill(table, dict.fromkeys(("1", "2", "3", "=4", "6"), "обувь"))
    audit("import", table)
    other = tmp_path / "other.csv"
    other.write_text("audit,id,answer,annotator\n1,6,одежда,olga\n", encoding="utf-8")
    audit("import", other, "--disagreements", "keep")
    store(database, number, {"7": "огурцы"})
    told = audit("report")
    assert "4 of 7 drawn labels have been checked" in told
    assert "1 checked review is in no row: no stage had a guess" in told
    assert "1 has answers of which no category has more than half" in told
    assert "1 is of a text that has been replaced since" in told
    assert "1 has no answer yet" in told
    found = json.loads(CliRunner().invoke(app, ["audit", "report", "--json"]).stdout)
    others = {name: found[name] for name in ("without_guess", "undecided", "replaced", "unanswered")}
    assert others == dict.fromkeys(others, 1)
    rows = sum(
        found["precision"][name]["checked"]
        for name in ("accepted", "needs_review")
        if name in found["precision"]
    )
    assert rows + sum(others.values()) == found["drawn"]


def test_without_labels_there_is_nothing_to_draw(database, tmp_path):
    assert "expected labels to check, found none" in refused("draw", "--out", tmp_path / "a.csv")
    assert not (tmp_path / "a.csv").exists()
    assert "expected a name that ends in .csv, .xlsx or .json" in refused("draw", "--out", tmp_path / "a.txt")


def test_a_text_that_is_replaced_while_answers_come_in_keeps_its_place_in_line(database, number):
    store(database, number, {"1": "огурцы"})
    take_reviews(database, number, review("1", "лампа"))
    ((review_id, revision),) = ask(database, "SELECT id, revision FROM reviews WHERE external_id = '1'")
    with database.transaction() as cursor:
        stored_labels.settle_by_people(cursor, [(review_id, revision - 1, "shoes")], number)
    assert ask(database, "SELECT review_id, revision FROM waiting") == [(review_id, revision)]


def test_an_answer_about_an_old_text_does_not_replace_the_label_of_the_new_one(database, number):
    store(database, number, {"1": "огурцы"})
    store(database, number, {"1": "тапки"})
    query = (
        "SELECT review_id, l::text FROM labels l JOIN reviews r ON r.id = review_id WHERE external_id = '1'"
    )
    ((review_id, label),) = ask(database, query)
    with database.transaction() as cursor:
        stored_labels.settle_by_people(cursor, [(review_id, 1, "clothes")], number)
    assert ask(database, query) == [(review_id, label)]


def test_a_file_that_may_hold_answers_is_not_drawn_over(number, tmp_path):
    out = tmp_path / "audit.csv"
    audit("draw", "--n", 2, "--out", out)
    before = out.read_text()
    assert "expected a new file, found one that may hold answers" in refused("draw", "--n", 2, "--out", out)
    assert out.read_text() == before
    audit("draw", "--n", 2, "--out", out, "--overwrite")
