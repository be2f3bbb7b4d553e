"""Keep or escalate: what a threshold means."""

from __future__ import annotations

from shared.cascade.rule import Curve, StageRule
from shared.cascade.stage import Match, Verdict


def sure(confidence: float) -> Verdict:
    return Verdict("shoes", confidence)


def kept(rule: StageRule, *verdicts: Verdict | None) -> list[bool]:
    return [rule.keeps(verdict) for verdict in verdicts]


def test_verdicts_at_or_above_the_threshold_are_kept_and_the_rest_travels_on():
    verdicts = [sure(0.81), None, sure(0.8), sure(0.79), sure(1.0), sure(0.0)]
    assert kept(StageRule(0.8), *verdicts) == [True, False, True, False, True, False]


def test_an_abstention_travels_on_even_at_threshold_zero():
    assert kept(StageRule(0.0), None, sure(0.0)) == [False, True]


def test_only_certainty_is_kept_at_threshold_one():
    assert kept(StageRule(1.0), sure(0.999_999), sure(1.0)) == [False, True]


def test_a_confidence_that_is_no_number_is_never_kept():
    assert kept(StageRule(0.0), sure(float("nan"))) == [False]


def test_evidence_names_the_piece_of_text_it_stands_for():
    text = "Мои ботинки 👟 жмут"
    match = Match("ботинки", 4, 11, "ботинок", "shoes")
    assert text[match.start : match.end] == match.word


def test_a_category_may_have_a_threshold_of_its_own():
    rule = StageRule(0.8, {"toys": 0.95, "dishes": None})
    verdicts = [Verdict("shoes", 0.9), Verdict("toys", 0.9), Verdict("toys", 0.96), Verdict("dishes", 1.0)]
    assert kept(rule, *verdicts) == [True, False, True, False]


def test_a_stage_without_a_certified_threshold_keeps_nothing():
    assert kept(StageRule(None), sure(1.0)) == [False]


def test_calibration_changes_the_confidence_and_keeps_the_score():
    rule = StageRule(0.5, curve=Curve((0.0, 0.5, 1.0), (0.1, 0.2, 0.9)))
    weighed = rule.weigh(Verdict("shoes", 0.75))
    assert (round(weighed.confidence, 6), weighed.score, weighed.raw) == (0.55, 0.75, 0.75)
    assert rule.weigh(weighed) == weighed, "weighing starts from the score, so twice is once"
    many = [None, Verdict("toys", 0.9), weighed]
    assert rule.weigh_all(many) == [rule.weigh(one) for one in many]
