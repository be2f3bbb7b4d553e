"""Texts and names that look like formulas go through our CSV files and come back as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scripts.cli import app
from scripts.files.gold_file import read_gold
from shared.runtime import runtime
from shared.settings import load
from shared.store import Database, gold
from shared.taxonomy import default_taxonomy
from tests.support.command import run_here
from tests.support.processes import run
from tests.support.row_files import fill_in, read_rows, write_rows
from tests.support.stored import ask, review, take_reviews

SIGNS = ("=", "+", "-", "@", "\t", "\r", "'=", "''-")
NAMES = [f"{sign}{number}x" for number, sign in enumerate(SIGNS)]
TEXTS = [f"{sign}удобные кроссовки, пара {number}" for number, sign in enumerate(SIGNS)]


def otzyv(*arguments: object) -> str:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.stdout


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `otzyv label` writes about the hostile reviews."""
    folder = tmp_path_factory.mktemp("labels")
    rows = [{"id": name, "text": text} for name, text in zip(NAMES, TEXTS, strict=True)]
    given = write_rows(folder / "reviews.csv", rows)
    done = run("label", given, "--out", folder / "labels.csv", OTZYV_CASCADE_STAGES="keywords")
    assert done.returncode == 0, done.stderr
    return folder / "labels.csv"


def test_no_cell_of_the_labels_is_a_formula(labels):
    cells = [cell for row in read_rows(labels) for cell in row.values()]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    assert [row["text"] for row in read_rows(labels)] == [f"'{text}" for text in TEXTS]


@pytest.mark.parametrize("column", ["id", "text"])
def test_labels_are_found_for_the_gold_they_were_made_of(labels, tmp_path, column):
    rows = [{"text": text, "category": "обувь"} for text in TEXTS]
    if column == "id":
        rows = [{"id": name, **row} for name, row in zip(NAMES, rows, strict=True)]
    gold_file = write_rows(tmp_path / "gold.csv", rows)
    found: dict[str, Any] = json.loads(otzyv("evaluate", "--gold", gold_file, "--labels", labels, "--json"))
    assert (found["groups"]["all"]["kept"], found["groups"]["all"]["precision"]) == (len(TEXTS), 1.0)


def test_labels_that_a_person_went_through_are_gold_with_the_texts_as_they_were(labels):
    assert [(row.id, row.text) for row in read_gold(labels, None, default_taxonomy())] == list(
        zip(NAMES, TEXTS, strict=True)
    )


def test_labels_that_are_labelled_again_keep_their_texts(labels, tmp_path):
    again = tmp_path / "again.csv"
    assert run_here("label", labels, "--out", again, OTZYV_CASCADE_STAGES="keywords").returncode == 0
    assert [(row["id"], row["text"]) for row in read_rows(again)] == [
        (row["id"], row["text"]) for row in read_rows(labels)
    ]


@pytest.fixture
def taxonomy(monkeypatch: pytest.MonkeyPatch, database: Database, database_url: str) -> int:
    """The hostile reviews in a database that the commands work on."""
    monkeypatch.setenv("OTZYV_DATABASE_URL", database_url)
    here = runtime.build(load(database_url=database_url), database)
    reviews = (review(name, text, "=shop") for name, text in zip(NAMES, TEXTS, strict=True))
    take_reviews(database, here.taxonomy_id, *reviews)
    return here.taxonomy_id


def test_labels_are_imported_for_the_reviews_they_were_made_of(labels, taxonomy, database, tmp_path):
    said = otzyv("labels", "import", labels, "--method", "file")
    assert f"{len(NAMES)} reviews have labels" in said
    assert ask(database, "SELECT count(*) FROM labels WHERE stage = 'file'") == [(len(NAMES),)]


def test_an_audit_is_drawn_filled_in_and_taken_in(labels, taxonomy, database, tmp_path):
    otzyv("labels", "import", labels, "--method", "file")
    drawn = tmp_path / "audit.csv"
    otzyv("audit", "draw", "--out", drawn)
    assert sorted(row["text"] for row in read_rows(drawn)) == sorted(f"'{text}" for text in TEXTS)
    fill_in(drawn, lambda _: "обувь")
    assert f"{len(NAMES)} answers taken in" in otzyv("audit", "import", drawn)
    with database.transaction() as cursor:
        assert gold.count(cursor, taxonomy) == len(NAMES)
