"""`otzyv taxonomy learn` as a user runs it, on a small taxonomy: what it shows, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.taxonomy import Taxonomy, check
from tests.support.command import run_here
from tests.support.pet_shop import PET_SHOP, labelled
from tests.support.row_files import write_rows


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "petshop.yaml"
    path.write_text(PET_SHOP, encoding="utf-8")
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    rows = [
        {"id": str(number), "text": text, "category": slug}
        for number, (text, slug) in enumerate(zip(*labelled(), strict=True))
    ]
    return write_rows(tmp_path / "labels.csv", rows)


def test_it_shows_a_table_and_a_diff_and_changes_nothing(shop: Path, labels: Path) -> None:
    done = run_here("taxonomy", "learn", "--labels", labels, "--taxonomy", shop)
    assert done.returncode == 0, done.stderr
    assert "сухарик" in done.stdout
    assert "+++ petshop.yaml" in done.stdout
    assert "proposals taken" in done.stdout
    assert shop.read_text(encoding="utf-8") == PET_SHOP


def test_it_writes_a_taxonomy_that_is_fine_and_a_diff(shop: Path, labels: Path, tmp_path: Path) -> None:
    new, diff = tmp_path / "new.yaml", tmp_path / "new.diff"
    done = run_here("taxonomy", "learn", "--labels", labels, "--taxonomy", shop, "--out", new, "--diff", diff)
    assert done.returncode == 0, done.stderr
    assert not [problem for problem in check(new) if problem.severity == "error"]
    assert "# our shop" in new.read_text(encoding="utf-8")
    assert diff.read_text(encoding="utf-8").startswith("--- petshop.yaml")


def test_json_has_every_proposal_with_its_interval_and_example(shop: Path, labels: Path) -> None:
    told = json.loads(run_here("taxonomy", "learn", "--labels", labels, "--taxonomy", shop, "--json").stdout)
    one = next(one for one in told["proposals"] if one["change"]["text"] == "сухарик")
    assert one["taken"]
    assert one["change"]["slug"] == "food"
    low, high = one["interval"]
    assert 0 < low < high <= 1
    assert one["example"]
    assert told["effect"]["after"] > told["effect"]["before"]


def test_a_person_takes_some_and_leaves_the_others(shop: Path, labels: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.yaml"
    given = ("taxonomy", "learn", "--labels", labels, "--taxonomy", shop)
    told = json.loads(run_here(*given, "--json").stdout)
    number = next(one["number"] for one in told["proposals"] if one["change"]["text"] == "поилка")
    assert run_here(*given, "--take", str(number), "--out", new).returncode == 0
    bowls = Taxonomy.load(new).category("bowls")
    assert "поилка" in str(bowls)
    assert Taxonomy.load(new).category("food") == Taxonomy.parse(PET_SHOP).category("food")
    assert run_here(*given, "--leave", str(number), "--out", new).returncode == 0
    assert "поилка" not in str(Taxonomy.load(new).category("bowls"))


def test_reviews_of_a_gold_set_teach_nothing(shop: Path, labels: Path, tmp_path: Path) -> None:
    texts, slugs = labelled()
    gold = write_rows(
        tmp_path / "gold.csv",
        [
            {"id": str(number), "category": slug}
            for number, (text, slug) in enumerate(zip(texts, slugs, strict=True))
            if "ухарик" in text
        ],
    )
    done = run_here("taxonomy", "learn", "--labels", labels, "--taxonomy", shop, "--without", gold)
    assert done.returncode == 0, done.stderr
    assert "20 labels of reviews that gold.csv measures with" in done.stderr
    assert "сухарик" not in done.stdout


def test_labels_of_the_keyword_stage_itself_teach_nothing(shop: Path, tmp_path: Path) -> None:
    rows = [
        {"text": text, "category": slug, "status": "accepted", "stage": "keywords"}
        for text, slug in zip(*labelled(), strict=True)
    ]
    done = run_here("taxonomy", "learn", "--labels", write_rows(tmp_path / "l.csv", rows), "--taxonomy", shop)
    assert done.returncode == 2
    assert "expected labels to learn from, found none" in done.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--take", "1", "--leave", "2"), "expected --take or --leave, found both"),
        (("--take", "900"), "--take: expected numbers from 1 to"),
        (("--leave", "x"), "found 'x'"),
        (("--precision", "1.5"), "--precision: expected a number from 0 to 1, found 1.5"),
        (("--store", "here"), "expected --labels or --store, found both"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(
    shop: Path, labels: Path, options: tuple[str, ...], sentence: str
) -> None:
    done = run_here("taxonomy", "learn", "--labels", labels, "--taxonomy", shop, *options)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_a_category_that_is_unknown_is_named_with_its_row(shop: Path, tmp_path: Path) -> None:
    labels = write_rows(tmp_path / "labels.csv", [{"text": "Поводок", "category": "поводки"}])
    done = run_here("taxonomy", "learn", "--labels", labels, "--taxonomy", shop)
    assert done.returncode == 2
    assert "row 2" in done.stderr
    assert "expected a slug or title, found 'поводки'" in done.stderr


def test_too_few_labels_are_told_before_any_search(shop: Path, tmp_path: Path) -> None:
    rows = [{"text": f"Сухарик {number}", "category": "food"} for number in range(9)]
    done = run_here("taxonomy", "learn", "--labels", write_rows(tmp_path / "l.csv", rows), "--taxonomy", shop)
    assert done.returncode == 2
    assert "expected 10 labels of a category at least, found 9" in done.stderr
