"""Thresholds as stored versions: found by `otzyv calibrate`, used by workers that already run, taken back."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from scripts.language.language import THIN, grouped
from shared.cascade.rule import Curve
from shared.cascade.stage import Verdict
from shared.labelling.labeller import Labeller
from shared.labelling.rules import Rules
from shared.runtime import runtime
from shared.settings import load
from shared.store import Database, gold, thresholds
from shared.store.gold import GoldAnswer
from shared.store.thresholds import CertifiedChain, Threshold
from shared.taxonomy import default_taxonomy
from tests.support.command import run_here
from tests.support.processes import run
from tests.support.stage_contract import built
from tests.support.stored import ByFirstLetter, ask, review

STAGE = ByFirstLetter()


def store(database: Database, taxonomy: int, *rows: Threshold) -> int:
    with database.transaction() as cursor:
        return thresholds.store(cursor, taxonomy, rows, target=0.95, note="test")


@pytest.fixture
def running(database: Database, taxonomy: int) -> Labeller:
    """A labeller as a worker holds it for days, without thresholds in its settings."""
    return Labeller(database, taxonomy, ("keywords",), {"keywords": STAGE}, Rules(taxonomy, {}))


def status(database: Database, name: str) -> str:
    query = "SELECT status FROM labels JOIN reviews ON id = review_id WHERE external_id = %s"
    return str(ask(database, query, name)[0][0])


def test_a_running_worker_uses_new_thresholds_from_its_next_batch_on(database, taxonomy, take, running):
    running.run("keywords", take(review("1", "туфли")).first_stage)
    store(database, taxonomy, Threshold("keywords", None, STAGE.model, 0.95))
    running.run("keywords", take(review("2", "туфли")).first_stage)
    with database.transaction() as cursor:
        thresholds.store(cursor, taxonomy, [], note="defaults")
    running.run("keywords", take(review("3", "туфли")).first_stage)
    assert [status(database, name) for name in "123"] == ["accepted", "needs_review", "accepted"]


def test_a_category_may_have_its_own_threshold_and_a_stage_may_keep_nothing(
    database, taxonomy, take, running
):
    store(
        database,
        taxonomy,
        Threshold("keywords", None, STAGE.model, None),
        Threshold("keywords", "toys", STAGE.model, 0.3),
    )
    running.run("keywords", take(review("1", "туфли"), review("2", "обруч")).first_stage)
    assert (status(database, "1"), status(database, "2")) == ("needs_review", "accepted")


def test_a_calibrated_confidence_is_stored_beside_the_score_it_came_from(database, taxonomy, take, running):
    curve = Curve((0.0, 0.9), (0.0, 0.6))
    store(database, taxonomy, Threshold("keywords", None, STAGE.model, 0.5, curve=curve))
    running.run("keywords", take(review("1", "туфли")).first_stage)
    ((confidence, score),) = ask(database, "SELECT confidence, score FROM labels")
    assert (round(confidence, 5), round(score, 5)) == (0.6, 0.9)
    assert ask(database, "SELECT round(confidence::numeric, 2)::text, status FROM labels") == [
        ("0.60", "accepted")
    ]


def test_thresholds_of_another_model_do_not_count(database, taxonomy, take, running):
    store(database, taxonomy, Threshold("keywords", None, "a model of last year", None))
    running.run("keywords", take(review("1", "туфли")).first_stage)
    assert status(database, "1") == "accepted"


def test_what_the_settings_say_goes_before_what_is_stored(database, taxonomy, take):
    store(database, taxonomy, Threshold("keywords", None, STAGE.model, None))
    told = Labeller(
        database,
        taxonomy,
        ("keywords",),
        {"keywords": STAGE},
        Rules(taxonomy, {"keywords": 0.5, "keywords/toys": 0.3}),
    )
    told.run("keywords", take(review("1", "туфли"), review("2", "обруч")).first_stage)
    assert (status(database, "1"), status(database, "2")) == ("accepted", "accepted")


def test_a_version_is_read_back_as_it_was_stored(database, taxonomy):
    rows = [
        Threshold("keywords", None, "m", 0.9, 100, 80, 79, 0.95, Curve((0.1, 0.9), (0.2, 0.8))),
        Threshold("keywords", "shoes", "m", None, 10, 0, 0),
    ]
    version = store(database, taxonomy, *rows)
    with database.transaction() as cursor:
        found = thresholds.rows(cursor, version)
        rules = thresholds.rules(cursor, version)
    assert [(row.category, row.answers, row.curve) for row in found] == [
        (None, 100, rows[0].curve),
        ("shoes", 10, None),
    ]
    assert rules["keywords"].rule.version == version
    assert rules["keywords"].rule.keeps(Verdict("toys", 0.95))
    assert not rules["keywords"].rule.keeps(Verdict("shoes", 1.0))


CHAIN = CertifiedChain(("keywords", "llm"), 800, 780, 0.961, 0.8, 0.75)


def certified(database: Database, taxonomy: int, chain: CertifiedChain, *rows: Threshold) -> int:
    with database.transaction() as cursor:
        return thresholds.store(
            cursor, taxonomy, rows, target=0.95, certainty=0.95, gold_reviews=1000, note="test", chain=chain
        )


def test_a_certified_chain_is_read_back_as_it_was_stored(database, taxonomy):
    rows = [
        Threshold("keywords", None, "m", 0.82, 1000, 700, 690, None, Curve((0.1, 0.9), (0.2, 0.8))),
        Threshold("llm", None, "n", 0.9, 300, 100, 90),
    ]
    certified(database, taxonomy, CHAIN, *rows)
    store(database, taxonomy, Threshold("keywords", None, "m", 0.9))
    with database.transaction() as cursor:
        newest, first = thresholds.versions(cursor, taxonomy, 2)
        rules = thresholds.rules(cursor, first.id)
        later = thresholds.rules(cursor, newest.id)
    assert (newest.chain, first.chain) == (None, CHAIN)
    assert rules["keywords"].chain == CHAIN.stages
    assert rules["keywords"].rule.of_score
    assert rules["keywords"].rule.value == 0.82
    assert (later["keywords"].chain, later["keywords"].rule.of_score) == (None, False)


def test_a_running_worker_keeps_by_the_score_that_was_certified_and_stores_the_confidence(
    database, taxonomy, take, running
):
    """The curve makes 0.6 of the score 0.9: as a confidence it would be far below the threshold."""
    curve = Curve((0.0, 0.9), (0.0, 0.6))
    chain = msgspec.structs.replace(CHAIN, stages=("keywords",))
    certified(database, taxonomy, chain, Threshold("keywords", None, STAGE.model, 0.9, curve=curve))
    running.run("keywords", take(review("1", "туфли")).first_stage)
    assert ask(database, "SELECT round(confidence::numeric, 2)::text, status FROM labels") == [
        ("0.60", "accepted")
    ]
    certified(database, taxonomy, chain, Threshold("keywords", None, STAGE.model, 0.91, curve=curve))
    running.run("keywords", take(review("2", "туфли")).first_stage)
    assert status(database, "2") == "needs_review"


def test_the_thresholds_of_a_chain_do_not_count_in_another_chain(database, taxonomy, take, running):
    certified(database, taxonomy, CHAIN, Threshold("keywords", None, STAGE.model, None))
    running.run("keywords", take(review("1", "туфли")).first_stage)
    assert status(database, "1") == "accepted"


class OnlyCertified(ByFirstLetter):
    """A stage that is kept only under a certificate."""

    default_threshold = None


def test_a_stage_that_is_kept_only_under_a_certificate_keeps_nothing_without_one_of_its_own_model(
    database, taxonomy, take
):
    stage = OnlyCertified()
    worker = Labeller(database, taxonomy, ("keywords",), {"keywords": stage}, Rules(taxonomy, {}))
    worker.run("keywords", take(review("1", "туфли")).first_stage)
    chain = msgspec.structs.replace(CHAIN, stages=("keywords",))
    certified(database, taxonomy, chain, Threshold("keywords", None, stage.model, 0.5))
    worker.run("keywords", take(review("2", "туфли")).first_stage)
    certified(database, taxonomy, chain, Threshold("keywords", None, "another model", 0.5))
    worker.run("keywords", take(review("3", "туфли")).first_stage)
    assert [status(database, name) for name in "123"] == ["needs_review", "accepted", "needs_review"]


# The commands


@pytest.fixture
def chosen(database_url: str) -> dict[str, str]:
    return {"OTZYV_DATABASE_URL": database_url, "OTZYV_CASCADE_STAGES": "keywords"}


def test_calibrate_stores_a_version_that_can_be_listed_used_again_and_reset(
    shared_data: Path, chosen, tmp_path
):
    gold_file, plot = shared_data / "gold.csv", tmp_path / "plot.svg"
    done = run("calibrate", "--gold", gold_file, "--by", "stage", "--plot", plot, **chosen)
    assert done.returncode == 0, done.stderr
    assert "stored as version 1" in done.stdout
    assert "each stage by itself" in done.stdout
    assert plot.read_text(encoding="utf-8").lstrip().startswith("<svg")
    assert "keywords" in run_here("thresholds", "list", **chosen).stdout
    assert "version 2, the defaults" in run_here("thresholds", "reset", **chosen).stdout
    assert "version 3, a copy of 1" in run_here("thresholds", "use", "1", **chosen).stdout
    listed = run_here("thresholds", "list", **chosen).stdout
    assert "3 *" in listed
    assert "0.8" in listed
    assert "each stage by itself: at least 0.95 of what it keeps, 95 % certainty" in " ".join(listed.split())
    unknown = run_here("thresholds", "use", "9", **chosen)
    assert (unknown.returncode, "Traceback" in unknown.stderr) == (2, False)
    assert "expected the number of a version, found 9" in " ".join(unknown.stderr.split())
    again = run_here("evaluate", "--gold", gold_file, "--calibrated", "--json", **chosen)
    assert json.loads(again.stdout)["groups"]["all"]["precision"] >= 0.95
    assert "version 3, each stage by itself" in json.loads(again.stdout)["certified"]


def test_a_certified_chain_is_stored_with_its_order_used_again_and_told_of(
    shared_data: Path, chosen, tmp_path
):
    gold_file, plot = shared_data / "gold.csv", tmp_path / "plot.html"
    chain = chosen | {"OTZYV_CASCADE_STAGES": "keywords,similarity"}
    done = run("calibrate", "--gold", gold_file, "--plot", plot, "--json", **chain)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["version"], found["certified"], found["chain"]) == (1, "chain", ["keywords", "similarity"])
    assert found["chosen"]["bound"] >= 0.95
    assert found["chosen"]["coverage"] > 0.7
    assert "keywords,similarity, from the defaults" in plot.read_text(encoding="utf-8")
    assert "version 2, a copy of 1" in run_here("thresholds", "use", "1", **chain).stdout
    promise = "certified as a chain (keywords,similarity): at least 0.95 of what is released, 95 % certainty"
    listed = " ".join(run_here("thresholds", "list", **chain).stdout.split())
    assert f"thresholds of version 2, {promise}" in listed
    kept = f"{grouped(found['chosen']['kept'])} of {grouped(1_479)}".replace(THIN, " ")
    assert f"the chain all {kept} {found['chosen']['bound']:.3f}" in listed
    again = json.loads(run_here("evaluate", "--gold", gold_file, "--calibrated", "--json", **chain).stdout)
    assert again["groups"]["all"]["kept"] == found["chosen"]["kept"], "what was tested is what is kept"
    assert again["certified"] == f"thresholds of version 2, {promise}"


def test_a_chain_of_other_stages_uses_the_defaults_and_is_told_so(shared_data: Path, chosen):
    gold_file = shared_data / "gold.csv"
    assert run_here("calibrate", "--gold", gold_file, **chosen).returncode == 0
    other = chosen | {"OTZYV_CASCADE_STAGES": "keywords,similarity"}
    listed = " ".join(run_here("thresholds", "list", **other).stdout.split())
    assert (
        "are those of another chain than keywords,similarity, which judges now, with its defaults" in listed
    )
    told = json.loads(run_here("evaluate", "--gold", gold_file, "--calibrated", "--json", **other).stdout)
    assert told["certified"].startswith("nothing is certified: the thresholds of version 1")
    assert [stage["threshold"] for stage in told["stages"]] == [0.8, 0.9]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--per-category"], "--per-category: expected with --by stage, found --by chain"),
        (
            ["--by", "stage", "--stage-floor", "0.9"],
            "--stage-floor: expected with --by chain, found --by stage",
        ),
        (["--category-floor", "80"], "--category-floor: expected a number from 0 to below 1, found 80"),
    ],
)
def test_options_that_do_not_go_together_are_refused(chosen, options, found):
    done = run_here("calibrate", *options, **chosen)
    assert done.returncode == 2
    assert found in " ".join(done.stderr.split())


def test_a_chain_that_breaks_a_floor_is_not_stored(shared_data: Path, chosen, database):
    done = run_here("calibrate", "--gold", shared_data / "gold.csv", "--category-floor", "0.99", **chosen)
    assert done.returncode == 3
    assert "nothing stored: the chain is not certified" in done.stdout
    assert "every certified chain breaks a floor" in " ".join(done.stderr.split())
    assert ask(database, "SELECT count(*) FROM threshold_versions") == [(0,)]


def test_calibrate_says_when_gold_is_too_small_and_stores_nothing(tmp_path, chosen, database):
    small = tmp_path / "gold.csv"
    small.write_text(
        "text,category\n"
        + "".join(f"Красивое платье {n},одежда\nУдобные кроссовки {n},обувь\n" for n in range(10)),
        encoding="utf-8",
    )
    done = run_here("calibrate", "--gold", small, **chosen)
    assert done.returncode == 3
    assert "the gold set is too small, about" in " ".join(done.stderr.split())
    assert "nothing stored" in done.stdout
    assert ask(database, "SELECT count(*) FROM threshold_versions") == [(0,)]


def test_without_a_file_the_gold_of_the_database_counts(chosen, database, tmp_path):
    none = run_here("calibrate", **chosen)
    assert none.returncode == 2
    assert "expected gold in the database, found none" in " ".join(none.stderr.split())
    taxonomy = ask(database, "SELECT id FROM taxonomies")[0][0]
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO reviews (source, external_id, text, text_sha) SELECT 'shop', n::text, 'Красивое платье', '' "
            "FROM generate_series(1, 300) n RETURNING id"
        )
        ids = [row[0] for row in cursor.fetchall()]
        gold.record(cursor, [GoldAnswer(number, 1, "clothes", "anna") for number in ids], taxonomy)
    done = run_here("calibrate", "--json", **chosen)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"] == 1
    assert json.loads(done.stdout)["gold"] == 300


def test_a_target_that_is_no_share_is_refused(tmp_path, chosen):
    done = run_here("calibrate", "--target-precision", "95", **chosen)
    assert done.returncode == 2
    assert "--target-precision: expected a number between 0 and 1, found 95" in done.stderr


def test_a_stage_that_is_allowed_uncertified_keeps_the_rule_that_is_stored(tmp_path, chosen, database):
    chosen = chosen | {"OTZYV_CASCADE_STAGES": "keywords,similarity"}
    gold_file = tmp_path / "gold.csv"
    dresses = "".join(f"Красивое платье {n},одежда\n" for n in range(300))
    gold_file.write_text(f"text,category\n{dresses}Очень приятный продавец,нет товара\n", encoding="utf-8")
    taxonomy = runtime.build(load(), database).taxonomy_id
    model = built("similarity", default_taxonomy(), load(), database, taxonomy).model
    before = [
        Threshold("similarity", None, model, 0.61, curve=Curve((0.0, 1.0), (0.2, 0.9))),
        Threshold("similarity", "shoes", model, None),
    ]
    store(database, taxonomy, *before)
    done = run_here("calibrate", "--gold", gold_file, "--by", "stage", "--allow-uncertified", **chosen)
    assert done.returncode == 0, done.stderr
    with database.transaction() as cursor:
        rules = thresholds.rules(cursor, thresholds.newest(cursor, taxonomy) or 0)
    kept = rules["similarity"].rule
    assert (kept.value, kept.categories, kept.curve) == (0.61, {"shoes": None}, before[0].curve)
    assert rules["keywords"].rule.value is not None
