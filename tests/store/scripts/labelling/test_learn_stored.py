"""`otzyv taxonomy learn` from stored labels: what it learns from, and on which reviews it shows what would change."""

from __future__ import annotations

import json
from pathlib import Path

from shared.runtime import runtime
from shared.settings import load
from shared.store import Database, labels
from tests.support.command import run_here
from tests.support.pet_shop import PET_SHOP, labelled
from tests.support.stored import ask, review, take_reviews


def test_stored_labels_teach_and_stored_reviews_show_what_would_change(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "petshop.yaml"
    path.write_text(PET_SHOP, encoding="utf-8")
    here = runtime.build(load(database_url=database_url, taxonomy=str(path)), database)
    texts, slugs = labelled()
    take_reviews(database, here.taxonomy_id, *(review(str(at), text) for at, text in enumerate(texts)))
    take_reviews(database, here.taxonomy_id, review("unlabelled", "Третья поилка за год"))
    numbers = dict(ask(database, "SELECT external_id, id FROM reviews"))
    with database.transaction() as cursor:
        rows = [(numbers[str(at)], 1, slug) for at, slug in enumerate(slugs)]
        labels.settle_by_people(cursor, rows, here.taxonomy_id)
    done = run_here("taxonomy", "learn", "--taxonomy", path, "--json", OTZYV_DATABASE_URL=database_url)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["reviews"] == len(texts)
    assert told["effect"]["reviews"] == len(texts) + 1
    assert {"сухарик", "поилка", "курьер"} <= {one["change"]["text"] for one in told["proposals"]}


def test_a_database_without_labels_says_where_to_get_some(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "petshop.yaml"
    path.write_text(PET_SHOP, encoding="utf-8")
    runtime.build(load(database_url=database_url, taxonomy=str(path)), database)
    done = run_here("taxonomy", "learn", "--taxonomy", path, OTZYV_DATABASE_URL=database_url)
    assert done.returncode == 2
    assert "otzyv labels import" in done.stderr
