"""`otzyv taxonomy draft` on files, with the word vectors that come with Otzyv, and measured on the reference data."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from sklearn.metrics import adjusted_mutual_info_score

from scripts.labelling.drafting import kept
from shared.cascade.stage import verdicts
from shared.stages.keywords.stage import KeywordStage
from shared.taxonomy import Taxonomy, check, default_taxonomy
from tests.support.command import run_here
from tests.support.processes import EXAMPLES

REFERENCE = EXAMPLES.parents[2] / "shared" / "data"
FEW = 40


def drafted(out: Path, *more: str, given: Path = EXAMPLES) -> str:
    done = run_here("taxonomy", "draft", given, "--out", out, *more)
    assert done.returncode == 0, done.stderr
    return out.read_text(encoding="utf-8")


def test_a_draft_of_the_example_reviews_loads_and_says_what_it_covers(tmp_path: Path) -> None:
    out = tmp_path / "shop.yaml"
    text = drafted(out)
    assert [problem for problem in check(out) if problem.severity == "error"] == []
    taxonomy = Taxonomy.load(out)
    assert taxonomy.name == "shop"
    assert len(taxonomy.categories) >= 4
    assert text.count("# Covers: ") == len(taxonomy.categories)
    assert "# Left over: " in text
    assert "396 of 396 rows of reviews.csv (seed 0)" in text
    (clothes,) = [
        category
        for category in taxonomy.categories
        if any("платье" in keyword.word for keyword in category.keywords)
    ]
    assert {"куртка", "рубашка"} <= {word for keyword in clothes.keywords for word in keyword.word}


def test_the_seed_decides_the_draft(tmp_path: Path) -> None:
    out = tmp_path / "shop.yaml"
    again = ("--sample", "250", "--overwrite", "--seed")
    first = drafted(out, *again, "1")
    assert drafted(out, *again, "1") == first
    assert drafted(out, *again, "2") != first


def test_a_draft_that_may_have_been_edited_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "shop.yaml"
    out.write_text("name: mine", encoding="utf-8")
    done = run_here("taxonomy", "draft", EXAMPLES, "--out", out)
    assert done.returncode == 2
    assert "found one that may have been edited" in done.stderr
    assert out.read_text(encoding="utf-8") == "name: mine"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--out", "shop.csv"), "expected an output name that ends in .yaml, .yml"),
        (("--out", "nowhere/shop.yaml"), "expected a file in an existing folder"),
        (("--out", "shop.yaml", "--text-column", "comment"), "expected a column 'comment'"),
        (("--out", "shop.yaml", "--sample", "20"), "--sample"),
        (("--out", "shop.yaml", "--categories", "1"), "--categories"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(
    options: tuple[str, ...], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_here("taxonomy", "draft", EXAMPLES, *options)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_too_few_reviews_is_refused(tmp_path: Path) -> None:
    given = tmp_path / "few.csv"
    given.write_text("text\n" + "".join(f"платье {number}\n" for number in range(FEW)), encoding="utf-8")
    done = run_here("taxonomy", "draft", given, "--out", tmp_path / "few.yaml")
    assert done.returncode == 2
    assert f"expected at least 200 different reviews to draft a taxonomy from, found {FEW}" in done.stderr


@pytest.mark.parametrize("options", [(), ("--categories", "8")])
def test_drafted_categories_agree_with_those_of_a_language_model(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "draft.yaml"
    given = REFERENCE / "reviews.csv"
    if not given.is_file():
        pytest.skip("the reference reviews (../shared/data/reviews.csv) are not here")
    drafted(out, *options, given=given)
    coverage, purity, mutual = agreement(Taxonomy.load(out))
    assert coverage >= 0.48
    assert purity >= 0.88
    assert mutual >= 0.62


def test_categories_that_a_person_wrote_agree_better() -> None:
    if not (REFERENCE / "reviews.csv").is_file():
        pytest.skip("the reference reviews (../shared/data/reviews.csv) are not here")
    assert agreement(default_taxonomy())[2] > 0.9


def agreement(taxonomy: Taxonomy) -> tuple[float, float, float]:
    """Coverage of the keyword stage; purity, and adjusted mutual information, of what it keeps.

    Vinh, Epps, Bailey: Information Theoretic Measures for Clusterings Comparison, JMLR 2010.
    """
    texts = column(REFERENCE / "reviews.csv", "text")
    labels = column(REFERENCE / "llm_labels.csv", "category")
    said = verdicts(KeywordStage(taxonomy), list(texts.values()))
    names = [kept(verdict) for verdict in said]
    pairs = [(name, labels[key]) for key, name in zip(texts, names, strict=True) if name]
    together = defaultdict[str, Counter[str]](Counter)
    for name, label in pairs:
        together[name][label] += 1
    purity = sum(max(counts.values()) for counts in together.values()) / len(pairs)
    mutual = adjusted_mutual_info_score(*zip(*pairs, strict=True))
    coverage = len(pairs) / len(texts)
    print(f"\n{len(together)} categories: coverage {coverage:.3f}, purity {purity:.3f}, AMI {mutual:.3f}")
    return coverage, purity, mutual


def column(path: Path, name: str) -> dict[str, str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row["id"]: row[name] for row in csv.DictReader(file)}
