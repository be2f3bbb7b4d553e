"""Days of predictions over a real database: what they come to, alarms once, and audits of disagreements."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from scripts.cli import app
from shared.classifiers import manifest as manifests
from shared.classifiers.manifest import Agreement, Export, Manifest
from shared.quality.drift import Reference
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.serving import watching
from shared.settings import load
from shared.store import Database, aliases, awaiting, models, predictions
from shared.store.places import WaitingReview
from shared.store.predictions import Prediction
from tests.support.row_files import fill_in, read_rows
from tests.support.stored import ask

REVIEWS = 600


@pytest.fixture
def here(database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.setenv("OTZYV_DATABASE_URL", database_url)
    return runtime.build(load(database_url=database_url), database)


@pytest.fixture
def model(here: Runtime) -> int:
    """A champion whose reference is: shoes and clothes by halves, always sure."""
    slugs = here.taxonomy.slugs
    shares = {slug: 0.5 if slug in ("shoes", "clothes") else 0.0 for slug in slugs}
    says = Manifest(
        architecture="bert",
        taxonomy=here.taxonomy.name,
        taxonomy_version=here.taxonomy.version,
        labels=slugs,
        max_tokens=64,
        temperature=1.0,
        precision="fp32",
        export=Export(10, Agreement(1.0, 0.0), None),
        created_at="2026-01-01T00:00:00+00:00",
        reference=Reference(1_000, 0.95, shares, (*(0.0,) * 9, 1.0)),
    )
    with here.database.transaction() as cursor:
        number = models.register(
            cursor,
            here.taxonomy_id,
            architecture="bert",
            path="x",
            sha256="ab" * 32,
            labels=slugs,
            manifest=manifests.encode(says),
        )
        aliases.move(cursor, here.taxonomy.name, "champion", number, "promote", moved_by="test")
        cursor.execute(
            "INSERT INTO reviews (source, external_id, text, text_sha) SELECT 'shop', n::text, 'Отзыв ' || n, '' "
            "FROM generate_series(1, %s) n",
            (REVIEWS,),
        )
        cursor.execute(
            "INSERT INTO labels (review_id, taxonomy_id, revision, category, confidence, stage, status) "
            "SELECT id, %s, 1, CASE WHEN id %% 2 = 0 THEN 'shoes' ELSE 'clothes' END, 0.9, 'keywords', 'accepted' "
            "FROM reviews",
            (here.taxonomy_id,),
        )
    return number


def predict(here: Runtime, model: int, category: Any, confidence: float = 0.95) -> None:
    rows = [
        Prediction(number, 1, category(number), confidence, False, [confidence])
        for number in range(1, REVIEWS + 1)
    ]
    with here.database.transaction() as cursor:
        cursor.execute("DELETE FROM predictions")
        predictions.write(cursor, rows, model)
        awaiting.settle(cursor, [WaitingReview(1, 1, "")], here.taxonomy_id)


def as_labelled(number: int) -> str:
    return "clothes" if number % 2 else "shoes"


def quality(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["quality", *arguments])
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.stdout


def test_without_predictions_there_is_nothing_to_show(here: Runtime) -> None:
    assert "no predictions in the last 14 days" in quality()


def test_a_quiet_day_is_shown_by_day_and_category(here: Runtime, model: int) -> None:
    predict(here, model, as_labelled)
    shown = quality()
    assert "no alarms" in shown
    found = json.loads(quality("--json"))
    whole, *each = found["days"]
    assert (whole["predictions"], whole["labelled"], whole["disagreements"]) == (REVIEWS, REVIEWS, 0)
    assert whole["expected_accuracy"] == pytest.approx(0.95)
    assert whole["psi_categories"] == pytest.approx(0.0, abs=0.02)
    assert [one["category"] for one in each] == ["clothes", "shoes"]
    assert found["alarms"] == []


def test_an_alarming_day_is_a_row_and_a_log_event_once(here: Runtime, model: int) -> None:
    predict(here, model, lambda _: "tableware", confidence=0.5)
    limits = watching.limits(here.settings)
    ((today,),) = ask(here.database, "SELECT (now() AT TIME ZONE 'UTC')::date")
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            watching.watch(here.database, here.taxonomy.name, today, limits)
    kinds = {"expected_accuracy", "disagreement", "psi_categories", "psi_confidence"}
    told = [entry for entry in logs if entry["event"] == "quality.alarm" and entry["category"] is None]
    assert {entry["kind"] for entry in told} == kinds
    assert len(told) == len(kinds)
    rows = ask(here.database, "SELECT kind FROM alarms WHERE category = '' ORDER BY 1")
    assert [kind for (kind,) in rows] == sorted(kinds)
    shown = " ".join(quality().split())
    assert "disagreement with labels 1.000 is above 0.200 (600 predictions)" in shown
    assert "expected accuracy 0.500 is below 0.900" in shown


def test_a_category_that_the_taxonomy_has_no_more_goes_by_its_slug(here: Runtime, model: int) -> None:
    predict(here, model, lambda _: "tableware_of_old")
    assert "tableware_of_old" in quality()


def test_a_day_that_is_counted_again_keeps_no_row_of_before(here: Runtime, model: int) -> None:
    predict(here, model, as_labelled)
    quality()
    predict(here, model, lambda _: "shoes")
    quality()
    assert ask(here.database, "SELECT category FROM quality ORDER BY 1") == [("",), ("shoes",)]


def test_predictions_on_replaced_texts_do_not_count(here: Runtime, model: int) -> None:
    predict(here, model, as_labelled)
    with here.database.transaction() as cursor:
        cursor.execute("UPDATE reviews SET revision = 2 WHERE id <= 100")
    assert json.loads(quality("--json"))["days"][0]["predictions"] == REVIEWS - 100


# Audits of disagreements


def audit(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


def test_only_labels_that_the_champion_disagrees_with_are_drawn(
    here: Runtime, model: int, tmp_path: Path
) -> None:
    predict(here, model, lambda number: "tableware" if number <= 20 else as_labelled(number))
    out = tmp_path / "audit.csv"
    assert audit("draw", "--from", "disagreements", "--n", 10, "--out", out).exit_code == 0
    rows = read_rows(out)
    assert len(rows) == 10
    assert all(int(row["id"].removeprefix("'")) <= 20 for row in rows)
    fill_in(out, lambda _: "посуда")
    assert audit("import", out).exit_code == 0
    assert ask(here.database, "SELECT count(*) FROM gold") == [(10,)]
    report = json.loads(audit("report", "--json").stdout)
    assert (report["drawn"], report["answered"]) == (0, 0), "they are no sample of all labels"


def test_the_view_of_predictions_says_which_model_serves(here: Runtime, model: int) -> None:
    predict(here, model, as_labelled)
    serving = "SELECT serves_as, count(*) FROM predicted_reviews GROUP BY 1"
    assert ask(here.database, serving) == [("champion", REVIEWS)]
    with here.database.transaction() as cursor:
        aliases.move(cursor, here.taxonomy.name, "champion", None, "withdraw", moved_by="test")
    assert ask(here.database, serving) == [(None, REVIEWS)]


def test_without_a_champion_there_is_nobody_to_disagree(here: Runtime, tmp_path: Path) -> None:
    result = audit("draw", "--from", "disagreements", "--out", tmp_path / "a.csv")
    assert "expected a champion whose predictions differ from labels, found none" in str(result.exception)


def test_before_a_champion_has_predicted_anything_the_way_to_its_predictions_is_told(
    here: Runtime, model: int, tmp_path: Path
) -> None:
    result = audit("draw", "--from", "disagreements", "--out", tmp_path / "a.csv")
    assert f"`otzyv backfill --model {model}` predicts stored reviews" in str(result.exception)
