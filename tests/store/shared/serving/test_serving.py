"""Which model predicts what: champions, challengers, damaged models, texts that are replaced meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: `make models`")

from shared.classifiers import Predictions
from shared.errors import InvalidAnswer, ModelError
from shared.runtime.judging import predictor
from shared.serving.predictor import Predictor, answered
from shared.serving.registry import Registry
from shared.store import Database, aliases, awaiting, predictions, taxonomies
from shared.store.places import WaitingReview
from shared.store.predictions import Prediction
from tests.support.servers import wait_until
from tests.support.stored import TO_PREDICT, ask, blocked, review, take_reviews
from tests.support.tiny_registry import Models

TEXTS = {"1": "Платье село отлично", "2": "Ботинки жмут", "3": "Телефон приехал разбитым"}


class World:
    """A database with three registered models, and a predictor as a worker holds it."""

    def __init__(self, tiny: Models, database: Database, models: Path) -> None:
        self.database, self.models, self.tiny = database, models, tiny
        self.registry, self.numbers = tiny.registry(database, models)
        self.here = tiny.runtime(database, models)
        self.predictor: Predictor = predictor(self.here)

    def take(self, texts: dict[str, str] = TEXTS) -> list[int]:
        reviews = (review(name, text) for name, text in texts.items())
        return take_reviews(self.database, self.here.taxonomy_id, *reviews, **TO_PREDICT).unpredicted

    def promote(self, name: str, alias: Any = "champion") -> bool:
        return self.registry.promote(self.numbers[name], alias, moved_by="test")

    def rows(self) -> list[tuple[Any, ...]]:
        query = "SELECT external_id, model_id FROM predicted_reviews ORDER BY 1, 2"
        names = {number: name for name, number in self.numbers.items()}
        return [(review_id, names[model]) for review_id, model in ask(self.database, query)]

    def awaiting(self) -> list[tuple[Any, ...]]:
        return ask(self.database, "SELECT review_id, sent_at IS NULL FROM awaiting_prediction ORDER BY 1")

    def break_graph(self, name: str) -> None:
        for graph in (self.models / self.tiny.paths[name]).glob("*.onnx"):
            graph.write_bytes(graph.read_bytes()[:1000])


@pytest.fixture
def world(tiny: Models, database: Database, tmp_path: Path) -> World:
    return World(tiny, database, tmp_path / "models")


def test_a_prediction_names_its_model_category_confidence_and_all_probabilities(world: World) -> None:
    world.promote("first")
    assert world.predictor.run(world.take()).predicted == 3
    assert world.awaiting() == []
    found = ask(
        world.database,
        "SELECT p.category, p.confidence, p.probabilities, p.truncated, m.labels FROM predictions p "
        "JOIN models m ON m.id = p.model_id ORDER BY review_id",
    )
    classifier = world.registry.artefact(world.numbers["first"]).classifier()
    expected = classifier.predict(list(TEXTS.values())).probabilities
    for (category, confidence, shares, truncated, labels), wanted in zip(found, expected, strict=True):
        assert shares == pytest.approx(wanted.tolist(), abs=1e-5)
        assert category == labels[wanted.argmax()]
        assert confidence == pytest.approx(wanted.max(), abs=1e-5)
        assert truncated is False


def test_without_a_champion_reviews_wait_without_error_until_there_is_one(world: World) -> None:
    ids = world.take()
    assert world.predictor.run(ids).parked == 3
    assert world.awaiting() == [(number, True) for number in ids]
    assert not world.predictor.has_champion()
    world.promote("first")
    assert world.predictor.has_champion()
    with world.database.transaction() as cursor:
        assert awaiting.parked(cursor, world.here.taxonomy_id, 10) == ids
        assert awaiting.parked(cursor, world.here.taxonomy_id, 10) == []
    assert world.predictor.run(ids).predicted == 3
    assert world.rows() == [(name, "first") for name in TEXTS]


def test_a_batch_that_comes_again_changes_nothing(world: World) -> None:
    world.promote("first")
    ids = world.take()
    world.predictor.run(ids)
    before = ask(world.database, "SELECT xmin::text, p::text FROM predictions p")
    assert world.predictor.run(ids).predicted == 0
    assert world.take() == [], "a review that is known and predicted is not sent again"
    assert ask(world.database, "SELECT xmin::text, p::text FROM predictions p") == before


def test_a_new_champion_is_used_from_the_next_batch_on(world: World) -> None:
    world.promote("first")
    world.predictor.run(world.take())
    world.promote("second")
    outcome = world.predictor.run(world.take({"4": "Чайник кипятит"}))
    assert outcome.model_id == world.numbers["second"]
    assert world.rows() == [*((name, "first") for name in TEXTS), ("4", "second")]


def test_a_challenger_predicts_the_same_reviews_in_shadow(world: World) -> None:
    world.promote("first")
    world.promote("second", "challenger")
    world.predictor.run(world.take())
    assert world.rows() == [(name, model) for name in TEXTS for model in ("first", "second")]
    world.promote("second")
    world.predictor.run(world.take({"4": "Чайник кипятит"}))
    assert world.rows()[-1:] == [("4", "second")], "a challenger that became champion is none any more"


def test_a_challenger_that_cannot_be_loaded_holds_nobody_up(world: World) -> None:
    world.promote("first")
    world.promote("second", "challenger")
    world.break_graph("second")
    world.predictor.run(world.take())
    assert world.rows() == [(name, "first") for name in TEXTS]


def test_a_text_that_is_replaced_while_it_is_predicted_stays_in_line(world: World, monkeypatch) -> None:
    world.promote("first")
    ids = world.take()
    world.predictor.run(world.take({"9": "Что-то"}))
    real = world.predictor._loaded["champion"].classifier.predict

    def predict(texts: Sequence[str]) -> Any:
        world.take({"2": "Совсем другой текст"})
        return real(texts)

    monkeypatch.setattr(world.predictor._loaded["champion"].classifier, "predict", predict)
    assert world.predictor.run(ids).predicted == 2
    monkeypatch.undo()
    assert [number for number, _ in world.awaiting()] == [ids[1]]
    assert world.predictor.run(ids).predicted == 1
    assert world.rows() == [*((name, "first") for name in TEXTS), ("9", "first")]


def test_a_replaced_text_is_predicted_anew_and_the_old_prediction_is_gone(world: World) -> None:
    world.promote("first")
    world.predictor.run(world.take())
    ids = world.take({"1": "Совсем другой текст"})
    assert len(ids) == 1
    world.predictor.run(ids)
    assert ask(world.database, "SELECT revision FROM predictions ORDER BY review_id") == [(2,), (1,), (1,)]


# Champions that cannot be loaded


def test_a_running_worker_keeps_the_champion_that_it_has_when_the_new_one_is_damaged(world: World) -> None:
    world.promote("first")
    world.predictor.run(world.take())
    world.promote("second")
    world.break_graph("second")
    assert world.predictor.run(world.take({"4": "Чайник"})).model_id == world.numbers["first"]


def test_a_fresh_worker_takes_the_champion_before_when_the_present_one_is_damaged(world: World) -> None:
    world.promote("first")
    world.promote("second")
    world.break_graph("second")
    assert predictor(world.here).run(world.take()).model_id == world.numbers["first"]


def test_without_any_champion_that_can_be_loaded_reviews_wait_for_one(world: World) -> None:
    world.promote("first")
    world.break_graph("first")
    ids = world.take()
    for _ in range(2):
        assert world.predictor.run(ids).parked == 3
    assert world.awaiting() == [(number, True) for number in ids]


def test_a_damaged_model_is_tried_again_after_a_minute(world: World, tmp_path: Path) -> None:
    clock = [0.0]
    world.predictor._loader._clock = lambda: clock[0]
    world.promote("first")
    kept = {graph: graph.read_bytes() for graph in (world.models / world.tiny.paths["first"]).glob("*.onnx")}
    world.break_graph("first")
    ids = world.take()
    assert world.predictor.run(ids).parked == 3
    for graph, content in kept.items():
        graph.write_bytes(content)
    assert world.predictor.run(ids).parked == 3, "a minute has not passed"
    clock[0] = 61.0
    assert world.predictor.run(ids).predicted == 3


def test_a_champion_for_other_categories_leaves_reviews_waiting(world: World) -> None:
    world.promote("first")
    with world.database.transaction() as cursor:
        other = taxonomies.register(cursor, world.here.taxonomy.name, "other", "{}")
    stranger = Predictor(
        world.database, world.registry.location, other, world.here.taxonomy.name, ["food", "nothing"]
    )
    assert not stranger.has_champion()
    assert stranger.run(world.take()).model_id is None


def test_a_message_that_comes_again_while_its_reviews_are_predicted_puts_none_in_line(world: World) -> None:
    world.promote("first")
    ids = world.take()
    with ThreadPoolExecutor() as pool:
        with world.database.transaction() as cursor:
            waiting = awaiting.texts(cursor, ids, world.here.taxonomy_id)
            awaiting.settle(cursor, waiting, world.here.taxonomy_id)
            again = pool.submit(world.take)
            wait_until(lambda: blocked(world.database), "the second transaction to wait for the first")
            rows = [Prediction(row.review_id, row.revision, "shoes", 0.9, False, [0.9]) for row in waiting]
            predictions.write(cursor, rows, world.numbers["first"])
        assert again.result() == []
    assert world.awaiting() == []


def test_a_text_that_is_replaced_while_predictions_are_off_is_predicted_once(world: World) -> None:
    world.promote("first")
    ids = world.take()
    take_reviews(world.database, world.here.taxonomy_id, review("1", "Теперь это чайник"))
    assert world.predictor.run(ids).predicted == 3
    assert world.awaiting() == []
    assert ask(world.database, "SELECT revision FROM predictions ORDER BY review_id") == [(2,), (1,), (1,)]


def test_reviews_that_a_model_cannot_answer_are_told_and_the_others_are_predicted() -> None:
    class Stumbles:
        labels: tuple[str, ...] = ("shoes",)

        def predict(self, texts: Sequence[str]) -> Predictions:
            if "bad" in texts:
                raise InvalidAnswer("no number")
            return Predictions(np.ones((len(texts), 1), np.float32), np.zeros(len(texts), bool))

    rows, failed = answered(Stumbles(), [WaitingReview(n, 1, "bad" if n == 3 else "good") for n in range(7)])
    assert failed == [3]
    assert [row.review_id for row in rows] == [0, 1, 2, 4, 5, 6]


# The registry


def test_a_champion_that_was_withdrawn_and_promoted_again_is_rolled_back_to_the_one_before(
    world: World,
) -> None:
    world.promote("first")
    world.promote("second")
    world.registry.withdraw("champion", moved_by="anna")
    world.promote("second")
    assert world.registry.rollback(moved_by="anna") == world.numbers["first"]


def test_a_champion_that_was_withdrawn_is_brought_back_by_a_rollback_and_stands_in_line_once(
    world: World,
) -> None:
    world.promote("first")
    world.promote("second")
    world.registry.withdraw("champion", moved_by="anna")
    assert world.registry.rollback(moved_by="anna") == world.numbers["second"]
    assert world.registry.rollback(moved_by="anna") == world.numbers["first"]
    with pytest.raises(ModelError, match="expected a champion before the present one"):
        world.registry.rollback(moved_by="anna")


def test_a_guard_is_asked_in_the_transaction_that_moves_and_can_refuse_it(world: World) -> None:
    world.promote("first")

    def refuse(_cursor: object) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        world.registry.promote(world.numbers["second"], "champion", moved_by="run", guard=refuse)
    with world.database.transaction() as cursor:
        assert aliases.current(cursor, world.here.taxonomy.name) == {"champion": world.numbers["first"]}


def test_a_champion_is_rolled_back_one_by_one_and_every_move_is_in_the_history(world: World) -> None:
    for name in ("first", "second", "third"):
        assert world.promote(name)
    assert not world.promote("third"), "it is champion already"
    assert world.registry.rollback(moved_by="anna", reason="worse on shoes") == world.numbers["second"]
    assert world.registry.rollback(moved_by="anna") == world.numbers["first"]
    with pytest.raises(ModelError, match="expected a champion before the present one, found none"):
        world.registry.rollback(moved_by="anna")
    with world.database.transaction() as cursor:
        moves = aliases.history(cursor, world.here.taxonomy.name)
    names = {number: name for name, number in world.numbers.items()} | {None: None}
    assert [(m.action, names[m.previous_id], names[m.model_id], m.moved_by, m.reason) for m in moves] == [
        ("promote", None, "first", "test", ""),
        ("promote", "first", "second", "test", ""),
        ("promote", "second", "third", "test", ""),
        ("rollback", "third", "second", "anna", "worse on shoes"),
        ("rollback", "second", "first", "anna", ""),
    ]


def test_the_history_cannot_be_changed(world: World) -> None:
    world.promote("first")
    for query in (
        "UPDATE model_aliases SET reason = 'x'",
        "DELETE FROM model_aliases",
        "TRUNCATE model_aliases",
    ):
        with pytest.raises(Exception, match="only grows"), world.database.transaction() as cursor:
            cursor.execute(query)


def test_a_damaged_model_is_not_promoted_and_the_old_one_serves_on(world: World) -> None:
    world.promote("first")
    world.break_graph("second")
    with pytest.raises(ModelError, match="copy the file again"):
        world.promote("second")
    world.promote("third")
    world.break_graph("first")
    with pytest.raises(ModelError, match="copy the file again"):
        world.registry.rollback(moved_by="test")
    assert world.predictor.run(world.take()).model_id == world.numbers["third"]


def test_the_champion_cannot_be_its_own_challenger(world: World) -> None:
    world.promote("first")
    with pytest.raises(ModelError, match="expected another model than the champion"):
        world.promote("first", "challenger")


def test_a_challenger_that_becomes_champion_again_is_challenger_no_more(world: World) -> None:
    world.promote("first")
    world.promote("second")
    world.promote("first", "challenger")
    world.registry.rollback(moved_by="test")
    with world.database.transaction() as cursor:
        now = aliases.current(cursor, world.here.taxonomy.name)
    assert now == {"champion": world.numbers["first"]}


def test_without_a_champion_any_more_reviews_wait_again(world: World) -> None:
    world.promote("first")
    assert world.registry.withdraw("champion", moved_by="test")
    assert not world.registry.withdraw("champion", moved_by="test")
    assert world.predictor.run(world.take()).parked == 3


def test_a_number_that_nobody_has_is_told(world: World) -> None:
    with pytest.raises(ModelError, match=r"found 99; see `otzyv models list`"):
        world.registry.promote(99, "champion", moved_by="test")


def test_the_same_artefact_again_is_the_same_model(world: World) -> None:
    registry: Registry = world.registry
    assert registry.register(registry.artefact(world.numbers["first"])) == world.numbers["first"]
