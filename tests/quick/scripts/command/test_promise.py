"""What is certified, in words: of which thresholds, of what, and why not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scripts.command import promise
from scripts.language import language
from shared.cascade.rule import Curve, StageRule
from shared.store.thresholds import CertifiedChain, Version

ORDER = ("keywords", "student")
CALIBRATED = StageRule(0.7, curve=Curve((0.0, 1.0), (0.0, 0.5)), version=3, of_score=True)
CHAIN = CertifiedChain(ORDER, 900, 880, 0.955, 0.8, 0.8)
AT = datetime(2026, 11, 29, tzinfo=UTC)
VERSION = Version(3, 0.95, 0.95, 1000, "calibrate gold.csv", AT, CHAIN)
PROMISE = "certified as a chain (keywords,student): at least 0.95 of what is released, 95 % certainty"


@pytest.fixture(autouse=True)
def _english_afterwards():
    yield
    language.use("en")


def by_settings(*known) -> str:
    return str(promise.by_settings(*known))


def by_rules(*known) -> str:
    return str(promise.by_rules(*known) or "")


def test_a_certified_chain_is_told_as_one_and_stages_by_themselves_as_such():
    assert by_settings(VERSION, ORDER, {}) == f"thresholds of version 3, {PROMISE}"
    alone = Version(4, 0.95, 0.9, 1000, "", AT)
    assert by_settings(alone, ("llm",), {}) == (
        "thresholds of version 4, each stage by itself: at least 0.95 of what it keeps, 90 % certainty"
    )


def test_a_certificate_that_does_not_hold_is_told_with_the_reason():
    other = by_settings(VERSION, ("keywords",), {})
    assert other == (
        f"nothing is certified: the thresholds of version 3, {PROMISE}, are those of another chain "
        "than keywords, which judges now, with its defaults"
    )
    over = by_settings(VERSION, ORDER, {"student/shoes": 0.5, "llm": 0.4})
    assert over.endswith("are set aside by OTZYV_THRESHOLDS for student")
    rules = {"keywords": StageRule(0.8), "student": CALIBRATED}
    assert "are not those of keywords here" in by_rules(VERSION, rules)
    assert by_rules(VERSION, dict.fromkeys(ORDER, CALIBRATED)) == f"thresholds of version 3, {PROMISE}"


def test_without_a_calibration_nobody_expects_a_certificate():
    defaults = Version(5, None, None, None, "defaults", AT)
    for version in (None, defaults):
        assert by_settings(version, ORDER, {}) == "thresholds: defaults and settings, nothing is certified"
        assert by_rules(version, {"keywords": StageRule(0.8)}) == ""


def test_a_certificate_is_told_in_the_language_of_the_moment():
    held = promise.by_settings(VERSION, ("keywords",), {})
    language.use("ru")
    assert str(held) == (
        "ничего не заверено: пороги версии 3, заверены для цепочки (keywords,student): верно не менее 0,95 того, что "
        "выпускается, с надёжностью 95 %; но это другая цепочка, сейчас судит keywords с порогами по умолчанию"
    )
    assert held.english.startswith("nothing is certified: the thresholds of version 3, certified as a chain")
