"""`otzyv evaluate` on files: chains, files of labels, what is refused, and the page."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score
from typer.testing import CliRunner

from scripts.cli import app
from shared.errors import OtzyvError
from shared.quality.confusion import compared, confusion
from shared.quality.evaluation import score
from tests.support.html_page import Page

GOLD = (
    "id,text,category,ambiguous\n1,Красивое платье,одежда,0\n2,Удобные кроссовки,обувь,0\n"
    "3,Тростниковая трещотка,нет товара,1\n"
)


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "gold.csv"
    path.write_text(GOLD, encoding="utf-8")
    return path


def evaluate(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def told(*arguments: object) -> str:
    result = evaluate(*arguments)
    assert isinstance(result.exception, OtzyvError), result.output
    return str(result.exception)


def test_a_chain_is_compared_with_every_shorter_one(gold):
    found = json.loads(evaluate("--gold", gold, "--chain", "keywords,similarity", "--json").stdout)
    assert [chain["chain"] for chain in found["chains"]] == ["keywords", "similarity", "keywords,similarity"]
    first, second = found["stages"]
    assert (first["seen"], first["kept"], first["precision"]) == (3, 2, 1.0)
    assert second["seen"] == 1
    assert found["groups"]["all"]["final"]["weighted_f1"] >= found["chains"][0]["final"]["weighted_f1"]


def test_one_stage_alone_names_its_model_and_threshold(gold):
    found = json.loads(evaluate("--gold", gold, "--stage", "keywords", "--json").stdout)
    assert (found["stage"], found["threshold"]) == ("keywords", 0.8)
    assert found["groups"]["not ambiguous"]["precision"] == 1.0


def test_without_a_server_the_stages_that_need_none_are_evaluated_and_the_student_rests(gold, monkeypatch):
    monkeypatch.setenv("OTZYV_DATABASE_URL", "postgresql://postgres@127.0.0.1:1/none")
    done = evaluate("--gold", gold, "--json")
    assert [stage["stage"] for stage in json.loads(done.stdout)["stages"]] == ["keywords", "similarity"]
    assert "left out: student, which rests: PostgreSQL did not finish" in done.stderr
    assert "found no model for student; name the folder or the server that has one" in told(
        "--gold", gold, "--stage", "student"
    )


def test_a_file_of_labels_is_scored_without_running_anything(gold, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("id,category,status\n1,одежда,accepted\n2,clothes,needs_review\n", encoding="utf-8")
    found = json.loads(evaluate("--gold", gold, "--labels", labels, "--json").stdout)
    assert (found["groups"]["all"]["kept"], found["groups"]["all"]["precision"]) == (1, 1.0)
    assert found["missing"] == 1
    assert found["groups"]["all"]["final"]["accuracy"] == pytest.approx(1 / 3)
    shown = evaluate("--gold", gold, "--labels", labels)
    assert "1 gold review has no row in the labels" in " ".join(shown.stdout.split())


def test_an_unknown_category_in_a_file_of_labels_is_told_with_its_row(gold, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("id,category\n1,одежда\n2,еда\n", encoding="utf-8")
    assert "labels.csv, row 3: " in told("--gold", gold, "--labels", labels)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ("--stage", "words"),
            "--stage: expected one name out of keywords, similarity, student, zero_shot, llm",
        ),
        (("--stage", "keywords,llm"), "--stage: expected one name"),
        (("--chain", "keywords,keywords"), "--chain: expected different names"),
        (("--chain", ","), "--chain: expected different names"),
        (("--stage", "keywords", "--chain", "llm"), "expected one of --stage, --chain and --labels"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_a_sentence(gold, options, sentence):
    assert sentence in told("--gold", gold, *options)


def test_the_page_and_the_picture_stand_alone_and_escape_what_they_print(gold, tmp_path):
    labels = tmp_path / "<b>&.csv"
    labels.write_text("id,category\n1,одежда\n", encoding="utf-8")
    page, picture = tmp_path / "page.html", tmp_path / "picture.svg"
    for report in (page, picture):
        assert evaluate("--gold", gold, "--labels", labels, "--report", report).exit_code == 0
        text = report.read_text(encoding="utf-8")
        assert "&lt;b&gt;&amp;.csv" in text
        assert "<b>&" not in text
        assert "бытовая техника" in text
        assert "src=" not in text
    assert picture.read_text(encoding="utf-8").lstrip().startswith("<svg")
    assert "Content-Security-Policy" in page.read_text(encoding="utf-8")


def test_scores_and_confusions_are_those_of_scikit_learn():
    rng = np.random.default_rng(3)
    names = ["a", "b", "c", "d"]
    gold = [names[at] for at in rng.choice(4, 500, p=[0.6, 0.3, 0.08, 0.02])]
    answers = [truth if rng.random() < 0.7 else names[rng.integers(4)] for truth in gold]
    found = score(gold, answers)
    assert found.weighted_f1 == pytest.approx(f1_score(gold, answers, average="weighted"))
    assert found.macro_f1 == pytest.approx(f1_score(gold, answers, average="macro"))
    assert compared(gold, answers, names).categories == found.categories
    matrix = np.array(confusion(gold, answers, names).counts)
    assert (matrix[:, :4] == confusion_matrix(gold, answers, labels=names)).all()
    assert not matrix[:, 4].any()


def test_reviews_without_an_answer_are_a_column_of_the_matrix_and_no_category():
    found = compared(["a", "a", "b", "b"], ["a", None, None, "c"], ["a", "b", "c", "d"])
    assert found.matrix.counts == ((1, 0, 0, 0, 1), (0, 0, 1, 0, 1), (0,) * 5, (0,) * 5)
    assert [(row.category, row.gold, row.answered, row.right) for row in found.categories] == [
        ("a", 2, 1, 1), ("b", 2, 0, 0), ("c", 0, 1, 0),
    ]  # fmt: skip


def test_nothing_to_compare_is_a_matrix_of_nothing():
    assert compared([], [], ["a"]).matrix.counts == ((0, 0),)
    with pytest.raises(ValueError, match="expected an answer for each review, found 0 for 1"):
        compared(["a"], [], ["a"])


HOSTILE = """</p><script>alert(1)</script><img src=x onerror=alert(1)> {{ 7*7 }}"""


def test_behind_every_cell_of_the_matrix_are_its_reviews(gold, tmp_path):
    gold.write_text(f'{GOLD}4,"{HOSTILE}",обувь,0\n', encoding="utf-8")
    labels, report = tmp_path / "labels.csv", tmp_path / "page.html"
    labels.write_text(
        "id,category,status\n1,одежда,accepted\n2,одежда,needs_review\n4,обувь,accepted\n", encoding="utf-8"
    )
    assert evaluate("--gold", gold, "--labels", labels, "--report", report).exit_code == 0
    page = report.read_text(encoding="utf-8")
    seen = Page(page)
    seen.check_loads_nothing_and_runs_our_script_alone()
    seen.check_tables_scroll_in_their_boxes()
    links = [str(tag["href"])[1:] for name, tag in seen.tags if name == "a" and "cell-" in str(tag["href"])]
    places = [tag["id"] for name, tag in seen.tags if str(tag.get("id")).startswith("cell-")]
    assert len(places) == 4
    assert {*links} == {*places}
    behind = dict(re.findall(r'id="(cell-\d+-\d+)">(.*?)</details>', page, re.DOTALL))
    texts = [re.findall(r'class="quote"[^>]*>(.*?)</p>', part) for part in behind.values()]
    shown = sorted(unescape(text) for part in texts for text in part)
    assert shown == sorted(["Красивое платье", "Удобные кроссовки", "Тростниковая трещотка", HOSTILE])


def test_the_page_says_first_how_good_the_labels_are_and_what_is_confused_most(gold, tmp_path):
    labels, report = tmp_path / "labels.csv", tmp_path / "page.html"
    labels.write_text("id,category\n1,одежда\n2,одежда\n3,нет товара\n", encoding="utf-8")
    assert evaluate("--gold", gold, "--labels", labels, "--report", report).exit_code == 0
    text = " ".join(Page(report.read_text(encoding="utf-8")).text.split())
    assert "100% of 3 gold reviews get a label that is kept, and 66.7% of these labels are right." in text
    assert "weighted F1 on gold 0.556" in text
    assert "Most often, обувь is taken for одежда (1)." in text
    assert "0 of 1 gold review is found" in text
    assert "1 of 2 labels are right" in text


def test_the_embedded_chain_is_right_in_93_of_100_labels_that_it_keeps(shared_data):
    found = json.loads(
        evaluate("--gold", shared_data / "gold.csv", "--chain", "keywords,similarity", "--json").stdout
    )
    assert found["groups"]["all"]["precision"] >= 0.93
    assert found["groups"]["all"]["coverage"] >= 0.6
