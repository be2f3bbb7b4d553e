"""`otzyv predict` as a user runs it: every row in order, with the champion or with a folder, on several processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed: `make models`")

from scripts.language.language import grouped
from shared.store import Database
from tests.support.command import run_here
from tests.support.processes import OTZYV, heard, run
from tests.support.row_files import read_rows, write_rows
from tests.support.servers import PATIENCE_S, wait_until
from tests.support.tiny_registry import Models


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    texts = [f"Платье номер {n}" for n in range(1_200)]
    texts[7], texts[9] = "", "платье " * 500
    rows = [{"id": n, "text": text, "status": "мой"} for n, text in enumerate(texts)]
    return write_rows(tmp_path / "reviews.csv", rows)


def test_every_row_gets_the_champions_prediction_in_order(
    tiny: Models, database: Database, database_url: str, reviews: Path, tmp_path: Path
) -> None:
    registry, numbers = tiny.registry(database, tmp_path / "models")
    env: dict[str, Any] = {"OTZYV_DATABASE_URL": database_url, "OTZYV_MODELS": str(tmp_path / "models")}
    none = run_here("predict", reviews, "--out", tmp_path / "p.csv", **env)
    assert (none.returncode, "Traceback" in none.stderr) == (2, False)
    assert "expected a champion for the taxonomy marketplace, found none" in " ".join(none.stderr.split())
    registry.promote(numbers["first"], "champion", moved_by="test")
    done = run("predict", reviews, "--out", tmp_path / "p.csv", "--processes", "2", **env)
    assert done.returncode == 0, done.stderr
    rows = read_rows(tmp_path / "p.csv")
    assert [row["id"] for row in rows] == [str(n) for n in range(1_200)]
    assert {row["status"] for row in rows} == {"мой"}
    assert rows[7]["otzyv_status"] == "rejected"
    assert "expected at least one visible character" in rows[7]["reason"]
    assert rows[9]["truncated"] == "True"
    assert "1 text was longer than the model reads" in done.stderr
    classifier = registry.artefact(numbers["first"]).classifier()
    for number in (0, 600, 1_199):
        expected = dict(
            zip(classifier.labels, classifier.predict([rows[number]["text"]]).probabilities[0], strict=True)
        )
        shares = json.loads(rows[number]["probabilities"])
        # In int8 a text's neighbours in its batch count a little.
        assert shares == pytest.approx(expected, abs=0.12)
        assert rows[number]["category_slug"] == max(shares, key=lambda slug: shares[slug])
        assert float(rows[number]["confidence"]) == max(shares.values())
    assert f"{grouped(1_200)} rows in" in done.stdout


def test_a_folder_serves_without_any_database(tiny: Models, reviews: Path, tmp_path: Path) -> None:
    folder = tiny.artefacts / tiny.paths["second"]
    env: dict[str, Any] = {"OTZYV_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    done = run("predict", reviews, "--out", tmp_path / "p.jsonl", "--model", folder, **env)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "p.jsonl").read_text().splitlines()) == 1_200
    (tmp_path / "other.yaml").write_text(
        "name: other\nnone_category: b\ncategories:\n  - {slug: a, title: а}\n  - {slug: b, title: б}\n",
        encoding="utf-8",
    )
    refused = run_here(
        "predict",
        reviews,
        "--out",
        tmp_path / "q.csv",
        "--model",
        folder,
        "--taxonomy",
        tmp_path / "other.yaml",
    )
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
    assert "expected a model for the categories of the taxonomy other (a, b)" in " ".join(
        refused.stderr.split()
    )
    assert not (tmp_path / "q.csv").exists()


def test_a_registered_model_is_named_by_its_number_and_a_folder_of_transformers_by_what_to_do(
    tiny: Models, database: Database, database_url: str, reviews: Path, tmp_path: Path
) -> None:
    registry, numbers = tiny.registry(database, tmp_path / "models")
    env: dict[str, Any] = {"OTZYV_DATABASE_URL": database_url, "OTZYV_MODELS": str(tmp_path / "models")}
    registry.promote(numbers["first"], "champion", moved_by="test")
    done = run("predict", reviews, "--out", tmp_path / "p.csv", "--model", str(numbers["second"]), **env)
    assert done.returncode == 0, done.stderr
    classifier = registry.artefact(numbers["second"]).classifier()
    expected = classifier.predict(["Платье номер 1"]).probabilities[0].tolist()
    found = json.loads(read_rows(tmp_path / "p.csv")[1]["probabilities"])
    assert found == pytest.approx(dict(zip(classifier.labels, expected, strict=True)), abs=0.02)
    unknown = run_here("predict", reviews, "--out", tmp_path / "q.csv", "--model", "99", **env)
    assert "found 99" in " ".join(unknown.stderr.split())
    saved = run_here("predict", reviews, "--out", tmp_path / "q.csv", "--model", tiny.folders["first"], **env)
    assert "`otzyv models import` it, and name its number" in " ".join(saved.stderr.split())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_predictions_of_a_run_that_was_ended_are_taken_up_by_the_same_command(
    tiny: Models, tmp_path: Path, number: int
) -> None:
    many = write_rows(tmp_path / "many.csv", [{"text": f"Платье номер {n}"} for n in range(20_000)])
    folder, temporary = tiny.artefacts / tiny.paths["second"], tmp_path / "t"
    temporary.mkdir()
    given = ("predict", str(many), "--model", str(folder), "--processes", "2", "--out")
    process = subprocess.Popen(
        [str(OTZYV), *given, str(tmp_path / "p.csv")],
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heard,
    )
    wait_until(lambda: any(temporary.glob("otzyv-*/unfinished-*.json")), "the first ones")
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said
    assert "the same command goes on from there" in said
    assert said.splitlines()[-1] == "interrupted"
    assert not list(tmp_path.glob("*p.csv*"))
    done = run(*given, tmp_path / "p.csv", TMPDIR=str(temporary))
    assert done.returncode == 0, done.stderr
    assert "goes on: " in done.stderr
    whole = run(*given, tmp_path / "q.csv", TMPDIR=str(temporary))
    assert whole.returncode == 0, whole.stderr
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "q.csv").read_bytes()
    assert not list(temporary.glob("otzyv-*"))
