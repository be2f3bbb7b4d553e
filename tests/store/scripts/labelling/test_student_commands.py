"""A student by the commands alone, as README tells it: label, bring labels in, train, promote, calibrate, label."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.command import run_here
from tests.support.processes import EXAMPLES, run
from tests.support.row_files import read_rows

STRANGE = {"clothes": "бубукало", "electronics": "зюзюка", "shoes": "тырпыр", "no_product": "мымра"}
"""Words that no vocabulary has, by the category that a person gave them."""

ALSO_IN_A_STORE = {
    "backfill --model 1 --follow": "backfill 1: all stored reviews have predictions of that model",
    "quality": "By day",
    "audit import {folder}/answers.csv": "160 reviews are gold",
    "audit report": "0 of 20 drawn labels have been checked",
    "models withdraw champion": "nobody is champion any more",
    "models rollback": "model 1 is champion again",
}
"""What else is done in the folder of a store, in this order, and what it says."""


def written(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


class Shop:
    """A folder with reviews that only a person can label, and the commands over it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, folder / "mine"
        words = [(slug, STRANGE[slug], number) for number in range(60) for slug in STRANGE]
        rows = [(f"{word}-{number}", f"{word} пришла номер {number}", slug) for slug, word, number in words]
        self.taught, self.new = rows[:160], rows[160:]
        self.file = written(folder / "reviews.csv", ("id", "text"), [row[:2] for row in self.taught])
        self.answers = written(
            folder / "answers.csv", ("id", "category"), [(r[0], r[2]) for r in self.taught]
        )
        self.more = written(folder / "more.csv", ("id", "text"), [row[:2] for row in self.new])
        gold = [(f"g{row[0]}", f"{row[1]} снова", row[2]) for row in rows]
        self.gold = written(folder / "gold.csv", ("id", "text", "category"), gold)

    def otzyv(self, *arguments: object) -> CompletedProcess[str]:
        done = run_here(
            *map(str, arguments), OTZYV_MODELS=str(self.folder / "models"), OTZYV_STUDENT_WITHHELD="0"
        )
        assert done.returncode == 0, done.stderr
        return done

    def label(self, file: Path) -> list[dict[str, object]]:
        out = self.folder / f"labels-{file.name}"
        done = run(
            "label", file, "--store", self.store, "--out", out,
            OTZYV_MODELS=str(self.folder / "models"), OTZYV_STUDENT_WITHHELD="0",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        self.told = done.stdout
        return read_rows(out)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_what_people_labelled_once_the_student_labels_from_then_on(shop: Shop) -> None:
    def in_store(*command: object) -> str:
        return " ".join(shop.otzyv(*command, "--store", shop.store).stdout.split())

    assert {row["status"] for row in shop.label(shop.file)} == {"needs_review"}
    shop.otzyv("labels", "import", shop.answers, "--store", shop.store)
    shop.otzyv("train", "linear", "--here", "--store", shop.store)
    shop.otzyv("models", "promote", "1", "--store", shop.store)
    chain = ("--chain", "keywords,similarity,student", "--gold", shop.gold, "--store", shop.store, "--json")
    before = json.loads(shop.otzyv("evaluate", *chain).stdout)["groups"]["all"]
    assert before["coverage"] == 0.0, "it guesses until it is certified"
    assert before["final"]["accuracy"] > 0.95
    shop.otzyv("calibrate", "--gold", shop.gold, "--store", shop.store)
    after = json.loads(shop.otzyv("evaluate", *chain, "--calibrated").stdout)
    assert after["groups"]["all"]["coverage"] > 0.9
    assert "certified as a chain (keywords,similarity,student)" in after["certified"]
    assert "certified as a chain" in shop.otzyv("thresholds", "list", "--store", shop.store).stdout
    planned = json.loads(shop.otzyv("plan", shop.more, "--store", shop.store, "--json").stdout)
    assert planned["stages"][-1]["stage"] == "student"
    assert planned["left"]["share"] < 0.1
    rows = shop.label(shop.more)
    kept = [row for row in rows if row["status"] == "accepted"]
    assert len(kept) > 0.9 * len(rows)
    assert {row["stage"] for row in kept} == {"student"}
    slugs = {f"{word}-{number}": slug for slug, word in STRANGE.items() for number in range(60)}
    assert all(row["category_slug"] == slugs[str(row["id"])] for row in kept)
    assert "certified as a chain (keywords,similarity,student)" in " ".join(shop.told.split())
    assert (shop.store / "models" / "marketplace").is_dir()
    assert not (shop.folder / "models").exists(), "a store has all that belongs to it"
    in_store("audit", "draw", "--n", "20", "--out", shop.folder / "audit.csv")
    for command, told in ALSO_IN_A_STORE.items():
        assert told in in_store(*command.format(folder=shop.folder).split())


def test_a_student_that_was_asked_for_by_name_must_be_there(shop: Shop) -> None:
    shop.label(shop.file)
    gold = ("--gold", shop.gold, "--store", shop.store)
    refused = run_here("evaluate", *gold, "--chain", "keywords,student")
    assert refused.returncode == 2
    assert "found no model for student" in refused.stderr
    left_out = run_here("evaluate", *gold, "--json")
    assert left_out.returncode == 0
    assert json.loads(left_out.stdout)["title"] == "keywords,similarity"
    assert "left out: student: no model may judge" in left_out.stderr


def test_without_a_database_the_default_chain_does_without_the_student(tmp_path: Path) -> None:
    gold = written(tmp_path / "gold.csv", ("id", "text", "category"), [("1", "Платье село", "clothes")])
    nowhere = {"OTZYV_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "OTZYV_CONNECT_TIMEOUT_S": "1"}
    done = run_here("evaluate", "--gold", gold, "--json", **nowhere)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["title"] == "keywords,similarity"
    assert "left out: student, which rests: " in done.stderr
    planned = run_here("plan", EXAMPLES, "--json", **nowhere)
    assert planned.returncode == 0, planned.stderr
    stages = {stage["stage"]: stage for stage in json.loads(planned.stdout)["stages"]}
    assert stages["student"]["keeps"] is None
    assert stages["student"]["note"] == "rests: no database was reached that may have its model"


def test_the_curve_needs_two_stages(shop: Shop) -> None:
    picture = shop.folder / "curve.svg"
    refused = run_here("evaluate", "--gold", shop.gold, "--stage", "keywords", "--curve", picture)
    assert refused.returncode == 2
    assert "--curve: curve: expected a chain of at least two stages" in refused.stderr
    run_here("evaluate", "--gold", shop.gold, "--chain", "keywords,similarity", "--curve", picture)
    assert "what keywords spares similarity" in picture.read_text(encoding="utf-8")
