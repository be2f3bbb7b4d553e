"""The stage `student` through a real RabbitMQ: models that change and are suspended while reviews come in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.classifiers import Location
from shared.classifiers.packaging.package import package
from shared.quality.drift import Alarm
from shared.runtime import runtime
from shared.serving.registry import Registry
from shared.serving.standing import judge_of
from shared.settings import Settings
from shared.store import Database, quality, thresholds
from shared.store.thresholds import Threshold
from tests.support import ledger, tiny_linear
from tests.support.processes import running
from tests.support.producer import publish, review
from tests.support.servers import wait_until

IN_MESSAGE = 50
TEXTS = ("Платье номер {}", "Непонятная вещь номер {}")
"""One that the keywords know, and one that they do not."""
STUDENT_LABELS = """
    SELECT external_id::int, status, model FROM labelled_reviews WHERE stage = 'student' ORDER BY 1
"""


class Shop:
    """A stream into a cascade with a student, and two models that may be it."""

    def __init__(self, settings: Settings, database: Database, folder: Path) -> None:
        chosen = settings.model_copy(
            update={"models": str(folder / "models"), "cascade_stages": "keywords,student"}
        )
        self.settings, self.database, self._sent = chosen, database, 0
        self.here = runtime.build(chosen, database)
        location = Location(chosen.models)
        self.registry = Registry(database, location, self.here.taxonomy, self.here.taxonomy_id)
        self.models = [
            self.registry.register(
                package(tiny_linear.model(strength), self.here.taxonomy, tiny_linear.TEXTS, location)
            )
            for strength in (1.0, 0.01)
        ]

    def certify(self, number: int) -> None:
        self.registry.promote(number, "champion", moved_by="test")
        row = Threshold("student", None, self.judge(number), 0.0)
        with self.database.transaction() as cursor:
            thresholds.store(cursor, self.here.taxonomy_id, [row])

    def judge(self, number: int) -> str:
        return judge_of(self.registry.get(number))

    def suspend(self, number: int) -> None:
        alarm = Alarm(number, datetime.now(UTC).date(), None, "psi_categories", 0.4, 0.25, 1_000)
        with self.database.transaction() as cursor:
            quality.raise_alarms(cursor, [alarm])

    def publish(self, count: int) -> None:
        texts = [review(n, TEXTS[n % 2].format(n)) for n in range(self._sent, self._sent + count)]
        parts = [texts[start : start + IN_MESSAGE] for start in range(0, count, IN_MESSAGE)]
        publish(self.settings, *(json.dumps({"reviews": part}).encode() for part in parts))
        self._sent += count

    def is_through(self) -> bool:
        return ledger.count(self.database, "labels") == self._sent


@pytest.fixture
def shop(settings: Settings, database: Database, tmp_path: Path) -> Shop:
    return Shop(settings, database, tmp_path)


@pytest.mark.everyday
def test_models_change_and_are_suspended_under_load_and_every_label_names_its_own(
    shop: Shop, database: Database, tmp_path: Path
) -> None:
    first, second = shop.models
    shop.certify(first)
    env = {"OTZYV_MODELS": shop.settings.models, "OTZYV_STUDENT_WITHHELD": "0.1"}
    with running(shop.settings, tmp_path, **env):
        shop.publish(1_000)
        wait_until(lambda: ledger.rows(database, STUDENT_LABELS) != [], "the first labels of the student")
        shop.certify(second)
        shop.publish(2_000)
        wait_until(shop.is_through, "all labels")
        shop.suspend(second)
        shop.publish(1_000)
        wait_until(shop.is_through, "all labels once more")
    assert ledger.count(database, "waiting") == 0
    assert ledger.count(database, "failures") == 0
    assert ledger.astray(database) == []
    labels = ledger.rows(database, STUDENT_LABELS)
    assert {model for _, _, model in labels} == {shop.judge(first), shop.judge(second)}
    assert {model for number, _, model in labels if number >= 1_000} == {shop.judge(second)}
    assert max(number for number, *_ in labels) < 3_000, "what came after the alarm is not the student's"
    assert sum(number < 3_000 for number, *_ in labels) == 1_500, "every second one, guesses included"
    withheld = ledger.rows(database, "SELECT model, probability::text FROM withheld")
    assert 0.06 < len(withheld) / 1_500 < 0.14
    assert {probability for _, probability in withheld} == {"0.1"}
    unsure = [number for number, status, _ in labels if status == "needs_review"]
    assert len(unsure) == len(withheld)
    assert "ERROR" not in (tmp_path / "cpu.log").read_text()
