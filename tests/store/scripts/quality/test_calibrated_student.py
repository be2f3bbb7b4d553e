"""`otzyv calibrate` and a student: gold may speak for it, and what was withheld against it."""

from __future__ import annotations

import csv
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from shared.classifiers import Location
from shared.classifiers.packaging.package import package
from shared.quality.withholding import FEWEST
from shared.runs.schedule import asked
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.serving.registry import Registry
from shared.serving.standing import judge_number, judge_of
from shared.settings import load
from shared.store import Database, labels, runs, snapshots
from shared.training.arguments import arguments
from tests.support import tiny_linear
from tests.support.command import run_here
from tests.support.stored import ask, review, take_reviews

GOLD = 300
LEAST = 0.3
STRANGE = (
    "кипятит быстро и тихо",
    "жмут, скользит",
    "приехал разбитым, не работает",
    "ткань села",
    "фыва",
    "олдж",
)
"""Texts without a word of the taxonomy."""


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Runtime:
    return runtime.build(load().model_copy(update={"models": str(tmp_path / "models")}), database)


@pytest.fixture
def judge(here: Runtime) -> str:
    """What the thresholds call a champion that is always right about the gold of these tests."""
    registry = Registry(here.database, Location(here.settings.models), here.taxonomy, here.taxonomy_id)
    made = package(tiny_linear.model(), here.taxonomy, tiny_linear.TEXTS, registry.location)
    number = registry.register(made)
    registry.promote(number, "champion", moved_by="test")
    return judge_of(registry.get(number))


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """Reviews that the keywords know, and others of which the student is wrong wherever it is less sure than LEAST."""
    model, path = tiny_linear.model(), tmp_path / "gold.csv"
    known = [f"{tiny_linear.TEXTS[n % 8]} {n}" for n in range(GOLD)]
    strange = [f"{STRANGE[n % len(STRANGE)]} {n}" for n in range(GOLD)]
    shares = model.predict([*known, *strange]).probabilities
    sure = [n < GOLD or row.max() >= LEAST for n, row in enumerate(shares)]
    answers = [model.labels[row.argmax()] for row in shares]
    other = {slug: model.labels[at - 1] for at, slug in enumerate(model.labels)}
    truth = [slug if right else other[slug] for slug, right in zip(answers, sure, strict=True)]
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = zip(range(2 * GOLD), [*known, *strange], truth, strict=True)
        csv.writer(file).writerows([("id", "text", "category"), *rows])
    assert 20 < sum(sure[GOLD:]) < GOLD - 20
    return path


def calibrate(here: Runtime, gold: Path, database_url: str) -> CompletedProcess[str]:
    return run_here(
        "calibrate", "--gold", gold, "--json", "--by", "chain",
        OTZYV_DATABASE_URL=database_url, OTZYV_MODELS=here.settings.models, OTZYV_CASCADE_STAGES="keywords,student",
    )  # fmt: skip


def withheld(here: Runtime, judge: str, score: float, *, right: bool) -> None:
    """Labels that were withheld, of that score, and what people said of them since."""
    rows = [review(f"w{score}-{n}", f"платье {n}") for n in range(FEWEST)]
    take_reviews(here.database, here.taxonomy_id, *rows)
    values = (here.taxonomy_id, "shoes" if right else "toys", here.taxonomy_id, judge, score, f"w{score}-%")
    ask(
        here.database,
        """
        WITH drawn AS (SELECT id FROM reviews WHERE external_id LIKE %s),
        labelled AS (
            INSERT INTO labels (review_id, taxonomy_id, revision, category, status)
            SELECT id, %s, 1, %s, 'human' FROM drawn)
        INSERT INTO withheld (review_id, taxonomy_id, stage, revision, model, category, confidence, score, probability)
        SELECT id, %s, 'student', 1, %s, 'shoes', 0.9, %s, 0.02 FROM drawn RETURNING 1
        """,
        values[-1],
        *values[:-1],
    )


def student_value(here: Runtime) -> float | None:
    """The score from which the student is kept, by the newest version."""
    query = "SELECT value FROM thresholds WHERE stage = 'student' ORDER BY version_id DESC LIMIT 1"
    ((value,),) = ask(here.database, query)
    return None if value is None else float(value)


def test_gold_and_withheld_labels_that_were_right_certify_a_student(
    here: Runtime, judge: str, gold: Path, database_url: str
) -> None:
    withheld(here, judge, 1.0, right=True)
    done = calibrate(here, gold, database_url)
    assert done.returncode == 0, done.stderr
    value = student_value(here)
    assert value is not None
    assert 0.0 < value <= LEAST
    assert ask(here.database, "SELECT model FROM thresholds WHERE stage = 'student'") == [(judge,)]


def test_withheld_labels_that_were_wrong_speak_against_a_student_whatever_gold_says(
    here: Runtime, judge: str, gold: Path, database_url: str
) -> None:
    withheld(here, judge, 1.0, right=False)
    done = calibrate(here, gold, database_url)
    assert done.returncode == 0, "the keywords are certified all the same"
    told = " ".join(done.stderr.split())
    assert (
        f"student: of {FEWEST} labels of this model that were withheld and answered since, 0 are right"
        in told
    )
    assert student_value(here) is None


def test_withheld_labels_below_the_new_threshold_say_nothing_about_it(
    here: Runtime, judge: str, gold: Path, database_url: str
) -> None:
    withheld(here, judge, 0.01, right=False)
    done = calibrate(here, gold, database_url)
    assert "withheld" not in done.stderr
    assert student_value(here) is not None


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_gold_that_the_student_was_trained_on_certifies_it_no_more(
    here: Runtime, judge: str, gold: Path, database_url: str, share: float
) -> None:
    with gold.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][: round(2 * GOLD * share)]
    taught_on(here, judge, texts)
    done = calibrate(here, gold, database_url)
    told = " ".join(done.stderr.split())
    if share < 0.05:
        assert done.returncode == 0, done.stderr
        assert f"left out: {len(texts)} gold reviews that model 1 was trained on" in told
        assert ask(here.database, "SELECT gold_reviews FROM threshold_versions") == [(2 * GOLD - len(texts),)]
    else:
        assert done.returncode == 2
        assert f"found {len(texts)} of {2 * GOLD} gold reviews among its lessons" in told


def taught_on(here: Runtime, judge: str, texts: list[str]) -> None:
    """Let a run have made the model, out of these reviews."""
    take_reviews(here.database, here.taxonomy_id, *(review(f"t{n}", text) for n, text in enumerate(texts)))
    with here.database.transaction() as cursor:
        cursor.execute("SELECT id FROM reviews WHERE external_id LIKE 't%'")
        rows = [(number, 1, "shoes") for (number,) in cursor.fetchall()]
        labels.settle_by_people(cursor, rows, here.taxonomy_id)
        taken = snapshots.take(cursor, here.taxonomy_id)
        wanted = asked(
            arguments(architecture="linear"), asked_by="t", reason="t", auto_promote=False, time_limit_s=60
        )
        _, (number,) = runs.ask(cursor, here.taxonomy_id, taken, [wanted])
        cursor.execute("UPDATE training_runs SET model_id = %s WHERE id = %s", (judge_number(judge), number))
