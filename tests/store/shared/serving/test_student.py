"""The stage `student`: which model judges in it, what is kept of that, and what is withheld to measure it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from shared.cascade.stage import StageSource, verdicts
from shared.classifiers import Location
from shared.classifiers.packaging.package import package
from shared.errors import ModelUnavailable
from shared.labelling.labeller import Labeller
from shared.quality.drift import Alarm, AlarmKind
from shared.quality.withholding import FEWEST
from shared.runtime import runtime, stages
from shared.runtime.runtime import Runtime
from shared.serving import standing, watching
from shared.serving.registry import Registry
from shared.serving.standing import UNCERTIFIED, judge_of
from shared.settings import load
from shared.store import Database, labels, quality, snapshots, thresholds
from shared.store.thresholds import CertifiedChain, Threshold
from tests.support import tiny_linear
from tests.support.stage_contract import check_stage
from tests.support.stored import ask, review, take_reviews
from tests.support.tiny_linear import TEXTS

UNKNOWN = ["фыва", "олдж"]
"""Texts that no keyword knows."""
JUDGED = [*TEXTS, *UNKNOWN]


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Runtime:
    chosen = {"models": str(tmp_path / "models"), "student_withheld": 0.0}
    return runtime.build(load().model_copy(update=chosen), database)


@pytest.fixture
def registry(here: Runtime) -> Registry:
    return Registry(here.database, Location(here.settings.models), here.taxonomy, here.taxonomy_id)


def registered(registry: Registry, here: Runtime, regularisation: float = 1.0) -> int:
    model = tiny_linear.model(regularisation)
    return registry.register(package(model, here.taxonomy, TEXTS, registry.location))


@pytest.fixture
def first(registry: Registry, here: Runtime) -> int:
    """A model that nobody has promoted."""
    return registered(registry, here)


@pytest.fixture
def champion(registry: Registry, first: int) -> int:
    registry.promote(first, "champion", moved_by="test")
    return first


@pytest.fixture
def second(registry: Registry, here: Runtime) -> int:
    return registered(registry, here, 0.01)


def cascade(here: Runtime, order: tuple[str, ...] = ("student",)) -> Labeller:
    return runtime.labeller(here, order)


def source(here: Runtime) -> StageSource:
    made = stages.build("student", here.taxonomy, here.settings, here.database, here.taxonomy_id)
    assert isinstance(made, StageSource)
    return made


def certify(here: Runtime, registry: Registry, number: int, value: float | None = 0.0) -> None:
    row = Threshold("student", None, judge_of(registry.get(number)), value)
    with here.database.transaction() as cursor:
        thresholds.store(cursor, here.taxonomy_id, [row])


def says(here: Runtime) -> str:
    with here.database.transaction() as cursor:
        return str(
            standing.standing(cursor, here.taxonomy.name, here.taxonomy_id, here.taxonomy.slugs, ("student",))
        )


def label(here: Runtime, texts: list[str], labeller: Labeller | None = None, name: str = "r") -> None:
    """Put texts through the stage, in the order of their numbers."""
    reviews = [review(f"{name}{number}", text) for number, text in enumerate(texts)]
    labeller = labeller or cascade(here)
    stored = take_reviews(here.database, here.taxonomy_id, *reviews, first_stage=labeller.order[0])
    labeller.run(labeller.order[0], stored.first_stage)


def told(here: Runtime) -> list[tuple[str, str | None]]:
    """Status and model of every label."""
    return ask(here.database, "SELECT status, model FROM labelled_reviews ORDER BY external_id")


def judges(here: Runtime, registry: Registry) -> int | None:
    """The number of the model that judges now."""
    stage = source(here).now()
    return None if stage is None else standing.judge_number(stage.model)


def test_the_student_keeps_what_every_stage_promises(here, registry, champion):
    certify(here, registry, champion)
    stage = source(here).now()
    assert stage is not None
    check_stage(stage, here.taxonomy, tuple(JUDGED))
    classifier = registry.artefact(champion).classifier()
    found = classifier.predict(JUDGED).probabilities
    for verdict, shares in zip(verdicts(stage, JUDGED), found, strict=True):
        assert verdict is not None
        assert verdict.category == classifier.labels[shares.argmax()]
        assert verdict.confidence == pytest.approx(shares.max())
        assert list(verdict.evidence.values()) == pytest.approx(sorted(shares)[-2:-4:-1], abs=1e-3)


def test_without_a_champion_the_student_rests_and_nothing_waits_for_it(here):
    assert "no model" in says(here)
    labeller = cascade(here, ("keywords", "student", "llm"))
    label(here, UNKNOWN, labeller)
    assert set(ask(here.database, "SELECT stage FROM waiting")) == {("llm",)}
    label(here, UNKNOWN, cascade(here), "alone")
    assert {status for status, _ in told(here)} == {"needs_review"}


def test_a_champion_that_is_not_certified_guesses(here, registry, champion):
    assert UNCERTIFIED in says(here)
    label(here, JUDGED)
    judge = judge_of(registry.get(champion))
    assert set(told(here)) == {("needs_review", judge)}
    assert ask(here.database, "SELECT count(category) FROM labels") == [(len(JUDGED),)]


def test_a_certified_champion_labels_and_every_label_names_it(here, registry, champion):
    certify(here, registry, champion)
    assert says(here) == f"model {champion} judges"
    label(here, JUDGED)
    assert set(told(here)) == {("accepted", judge_of(registry.get(champion)))}


def test_a_threshold_that_a_person_has_set_needs_no_certificate(here, registry, champion):
    chosen = here.settings.model_copy(update={"thresholds": {"student": 0.0}})
    label(here, JUDGED, cascade(Runtime(chosen, here.database, here.taxonomy, here.taxonomy_id)))
    assert {status for status, _ in told(here)} == {"accepted"}


def test_the_certified_champion_judges_on_until_the_new_one_is_certified(here, registry, champion, second):
    certify(here, registry, champion)
    labeller = cascade(here)
    registry.promote(second, "champion", moved_by="test")
    assert f"model {champion} judges in the place of model {second}" in says(here)
    label(here, JUDGED, labeller, "before")
    certify(here, registry, second)
    label(here, JUDGED, labeller, "later")
    models = [judge_of(registry.get(number)) for number in (champion, second)]
    assert [model for _, model in told(here)] == [model for model in models for _ in JUDGED]


def test_a_champion_that_was_rolled_back_judges_no_more_whatever_its_certificate(
    here, registry, champion, second
):
    registry.promote(second, "champion", moved_by="test")
    certify(here, registry, second)
    assert judges(here, registry) == second
    registry.rollback(moved_by="test")
    assert judges(here, registry) == champion
    assert UNCERTIFIED in says(here)
    registry.withdraw("champion", moved_by="test")
    assert judges(here, registry) is None


def test_a_champion_that_was_withdrawn_stands_in_for_nobody(here, registry, champion, second):
    certify(here, registry, champion)
    registry.withdraw("champion", moved_by="test")
    registry.promote(second, "champion", moved_by="test")
    assert judges(here, registry) == second
    assert UNCERTIFIED in says(here)


def test_a_student_that_was_withdrawn_stands_in_for_no_champion(here, registry, champion, second):
    certify(here, registry, champion)
    registry.promote(second, "champion", moved_by="test")
    registry.promote(champion, "student", moved_by="test")
    registry.withdraw("student", moved_by="test")
    assert judges(here, registry) == second


def test_a_model_with_the_alias_student_goes_before_the_champion(here, registry, champion, second):
    certify(here, registry, champion)
    registry.promote(second, "student", moved_by="test")
    assert judges(here, registry) == second
    assert UNCERTIFIED in says(here)
    registry.withdraw("student", moved_by="test")
    assert judges(here, registry) == champion


def test_a_prediction_is_one_row_although_its_model_is_champion_and_student(here, registry, champion):
    registry.promote(champion, "student", moved_by="test")
    ask(
        here.database,
        """
        WITH stored AS (
            INSERT INTO reviews (source, external_id, text, text_sha) VALUES ('s', '1', 't', 't') RETURNING id)
        INSERT INTO predictions (review_id, model_id, revision, category, probabilities, confidence, truncated)
        SELECT id, %s, 1, 'shoes', '{}', 1, false FROM stored RETURNING 1
        """,
        champion,
    )
    assert ask(here.database, "SELECT serves_as FROM predicted_reviews") == [("champion",)]


def test_a_model_for_other_categories_may_not_judge(here, registry, champion):
    ask(here.database, "UPDATE models SET labels = '{a,b}' RETURNING 1")
    assert "other categories" in says(here)
    assert judges(here, registry) is None


def raise_alarm(
    here: Runtime, model: int, category: str | None = None, day: int = 29, kind: AlarmKind = "psi_categories"
) -> None:
    alarm = Alarm(model, date(2026, 11, day), category, kind, 0.4, 0.25, 1_000)
    with here.database.transaction() as cursor:
        assert quality.raise_alarms(cursor, [alarm])


def test_an_alarm_suspends_the_model_until_it_is_certified_anew(here, registry, champion):
    certify(here, registry, champion)
    raise_alarm(here, champion, "shoes")
    assert judges(here, registry) == champion, "an alarm about one category"
    labeller = cascade(here)
    raise_alarm(here, champion)
    assert "suspended by the alarm psi_categories of 2026-11-29 (0.400, limit 0.250)" in says(here)
    label(here, JUDGED, labeller)
    assert set(told(here)) == {("needs_review", None)}
    certify(here, registry, champion)
    label(here, JUDGED, labeller, "s")
    assert {status for status, model in told(here) if model} == {"accepted"}


def test_a_return_to_earlier_thresholds_lifts_no_suspension(here, registry, champion):
    certify(here, registry, champion)
    raise_alarm(here, champion)
    with here.database.transaction() as cursor:
        (old,) = thresholds.versions(cursor, here.taxonomy_id, 1)
        rows = thresholds.rows(cursor, old.id)
        thresholds.store(cursor, here.taxonomy_id, rows, calibrated_at=old.calibrated_at)
    assert judges(here, registry) is None


def test_a_drift_that_was_there_when_the_model_was_certified_anew_suspends_it_no_more(
    here, registry, champion
):
    certify(here, registry, champion)
    raise_alarm(here, champion)
    certify(here, registry, champion)
    raise_alarm(here, champion, day=30)
    assert judges(here, registry) == champion
    raise_alarm(here, champion, day=30, kind="withheld_precision")
    assert judges(here, registry) is None


def test_a_chain_that_was_certified_without_a_student_holds_beside_one_that_keeps_nothing(
    here, registry, first
):
    words = stages.build("keywords", here.taxonomy, here.settings).model
    chain = CertifiedChain(("keywords",), 10, 10, 0.95)
    with here.database.transaction() as cursor:
        rows = [Threshold("keywords", None, words, 0.3)]
        thresholds.store(cursor, here.taxonomy_id, rows, target=0.95, certainty=0.95, chain=chain)
    labeller = cascade(here, ("keywords", "student"))
    assert labeller.rule("keywords").value == pytest.approx(0.3)
    registry.promote(first, "champion", moved_by="test")
    assert labeller.awake == ("keywords", "student")
    assert labeller.rule("keywords").value == pytest.approx(0.3)
    assert labeller.rule("student").value is None


def test_an_alarm_suspends_a_model_without_a_certificate_too(here, registry, champion):
    raise_alarm(here, champion)
    assert judges(here, registry) is None


def test_a_model_whose_files_are_damaged_rests_and_its_reviews_go_on(here, registry, champion):
    certify(here, registry, champion)
    for path in Path(here.settings.models).rglob("*.safetensors"):
        path.write_bytes(b"broken")
    labeller = cascade(here)
    assert labeller.awake == ("student",), "nobody has looked at the files yet"
    label(here, JUDGED, labeller)
    assert set(told(here)) == {("needs_review", None)}
    assert labeller.awake == ()


def test_reviews_wait_while_the_place_of_the_models_is_out_of_reach(here, registry, champion, monkeypatch):
    certify(here, registry, champion)
    away = ModelUnavailable("the models' storage does not answer")

    def refuse(*_: object) -> bytes:
        raise away

    labeller = cascade(here)
    with monkeypatch.context() as patch:
        patch.setattr(Location, "read", refuse)
        for _ in range(2):
            with pytest.raises(ModelUnavailable, match="does not answer"):
                label(here, JUDGED, labeller)
    assert ask(here.database, "SELECT count(*) FROM labels") == [(0,)]
    assert ask(here.database, "SELECT count(*) FROM waiting") == [(len(JUDGED),)]


def withholding(here: Runtime, share: float) -> Labeller:
    chosen = here.settings.model_copy(update={"student_withheld": share})
    return cascade(Runtime(chosen, here.database, here.taxonomy, here.taxonomy_id), ("student", "llm"))


def test_a_slice_of_what_the_student_keeps_goes_on_and_its_probability_is_stored(here, registry, champion):
    certify(here, registry, champion)
    texts = [f"{text} {number}" for number in range(60) for text in TEXTS]
    label(here, texts, withholding(here, 0.25))
    slice_ = ask(here.database, "SELECT review_id, category, probability, model FROM withheld")
    waiting = ask(here.database, "SELECT review_id FROM waiting WHERE stage = 'llm'")
    assert {row[0] for row in slice_} == {row[0] for row in waiting}
    assert 0.18 < len(slice_) / len(texts) < 0.32, "four standard deviations of a quarter of 480"
    assert {row[2:] for row in slice_} == {(0.25, judge_of(registry.get(champion)))}
    assert ask(here.database, "SELECT count(*) FROM labels") == [(len(texts) - len(slice_),)]


def test_a_stage_that_keeps_too_few_right_ones_is_suspended_by_what_was_withheld(here, registry, champion):
    certify(here, registry, champion)
    texts = [f"{text} {number}" for number in range(FEWEST // len(TEXTS) + 1) for text in TEXTS]
    label(here, texts, withholding(here, 1.0))
    rows = ask(here.database, "SELECT review_id, category FROM withheld ORDER BY 1")
    assert len(rows) == len(texts)
    answers = [
        (number, 1, category if place % 2 else next(slug for slug in here.taxonomy.slugs if slug != category))
        for place, (number, category) in enumerate(rows)
    ]
    limits = watching.limits(here.settings)
    assert watching.watch(here.database, here.taxonomy.name, date(2026, 11, 1), limits) == []
    with here.database.transaction() as cursor:
        labels.settle_by_people(cursor, answers, here.taxonomy_id)
    (alarm,) = watching.watch(here.database, here.taxonomy.name, date(2026, 11, 1), limits)
    assert (alarm.kind, alarm.model_id, alarm.value, alarm.n) == (
        "withheld_precision", champion, pytest.approx(0.5, abs=0.01), len(texts),
    )  # fmt: skip
    assert alarm.day == datetime.now(UTC).date()
    assert "suspended by the alarm withheld_precision" in says(here)


def test_what_the_student_labelled_or_guessed_teaches_nobody(here, registry, champion):
    certify(here, registry, champion)
    label(here, TEXTS)
    ask(here.database, "UPDATE labels SET status = 'needs_review' WHERE mod(review_id, 2) = 0 RETURNING 1")
    label(here, ["Платье", "Туфли"], cascade(here, ("keywords", "student")), "words")
    with here.database.transaction() as cursor:
        labels.settle_by_people(
            cursor,
            [(ask(here.database, "SELECT min(review_id) FROM labels")[0][0], 1, "shoes")],
            here.taxonomy_id,
        )
    with here.database.transaction() as cursor:
        rows = snapshots.rows(cursor, snapshots.take(cursor, here.taxonomy_id))
    assert {row.text for row in rows} == {TEXTS[0], "Платье", "Туфли"}
