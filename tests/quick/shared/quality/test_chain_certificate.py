"""What is certified of a whole chain: which thresholds are chosen, what they keep, and why there are none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from scripts.quality.chain_calibration import reasons
from shared.cascade.rule import StageRule
from shared.cascade.stage import Verdict
from shared.quality import chains
from shared.quality.chain_certificate import FLOOR_ANSWERS, Floors, certify_chain

TARGET = 0.95
DEFAULTS = {"one": 0.5, "two": None}


def stage(
    rng: np.random.Generator, gold: Sequence[str], right: tuple[float, float], answers: float
) -> list[Verdict | None]:
    """Scores lie evenly between 0.5 and 1; of the least sure answers `right[0]` are right, of the surest `right[1]`."""
    given: list[Verdict | None] = []
    for truth in gold:
        score = round(float(rng.uniform(0.5, 1.0)), 3)
        true = rng.random() < right[0] + (right[1] - right[0]) * (score - 0.5) * 2
        verdict = Verdict(truth if true else {"a": "b", "b": "a"}[truth], score)
        given.append(verdict if rng.random() < answers else None)
    return given


def world(
    seed: int, one: tuple[float, float], two: tuple[float, float], size: int = 1000, answers: float = 0.6
) -> tuple[list[str], dict[str, list[Verdict | None]]]:
    """Gold and two stages, of which the first answers so many reviews and the second all."""
    rng = np.random.default_rng(seed)
    gold = ["a" if rng.random() < 0.6 else "b" for _ in range(size)]
    return gold, {"one": stage(rng, gold, one, answers), "two": stage(rng, gold, two, 1.0)}


SLACK = ((0.99, 0.99), (0.7, 1.0))
"""A precise stage, and one that never reaches the target by itself but at its surest."""


def test_the_slack_of_a_precise_stage_is_spent_by_one_that_alone_would_not_do():
    gold, verdicts = world(1, *SLACK)
    found = certify_chain(verdicts, gold, DEFAULTS, TARGET)
    assert found.chosen is not None
    first, second = found.stages
    assert first.precision > TARGET > second.precision
    assert second.kept > 100
    assert found.chosen.bound >= TARGET


def test_workers_keep_with_the_rules_exactly_what_was_tested():
    gold, verdicts = world(2, *SLACK)
    found = certify_chain(verdicts, gold, DEFAULTS, TARGET)
    result = chains.run(tuple(verdicts), verdicts, found.rules, gold)
    assert found.chosen is not None
    assert (result.accepted.answered, result.accepted.right) == (found.chosen.kept, found.chosen.right)
    for part, told in zip(result.stages, found.stages, strict=True):
        assert (len(part.seen), len(part.kept), part.right) == (told.reached, told.kept, told.right)
    assert {rule.value for rule in found.rules.values()} == set(found.chosen.thresholds)


def test_a_plateau_of_the_curve_does_not_change_what_is_kept():
    """Isotonic confidences are equal over ranges of scores: a threshold of confidence would keep a whole range."""
    gold, verdicts = world(3, (0.99, 0.99), (0.9, 0.9))
    found = certify_chain(verdicts, gold, DEFAULTS, TARGET)
    least = found.rules["two"].value
    assert least is not None
    rule = found.rules["two"]
    under = rule.weigh(Verdict("a", least - 0.001))
    at = rule.weigh(Verdict("a", least))
    assert under is not None
    assert at is not None
    assert under.confidence == pytest.approx(at.confidence, abs=0.01)
    assert (rule.keeps(under), rule.keeps(at)) == (False, True)


def test_of_chains_that_keep_as_many_the_one_is_chosen_that_asks_the_last_stage_least():
    gold, verdicts = world(10, (0.99, 0.99), (0.99, 0.99))
    found = certify_chain(verdicts, gold, {"one": 0.9, "two": 0.8}, TARGET)
    assert found.chosen is not None
    assert found.chosen.kept == len(gold)
    assert sum(point.kept == len(gold) for point in found.passed) > 10
    assert found.chosen.thresholds == (0.5, 0.0)
    assert found.chosen.reached == tuple(part.reached for part in found.stages)


def test_calibrated_verdicts_are_judged_by_what_the_stage_itself_said():
    gold, verdicts = world(4, *SLACK)
    weighed: dict[str, list[Verdict | None]] = {
        name: [v and Verdict(v.category, 0.5, score=v.confidence) for v in given]
        for name, given in verdicts.items()
    }
    assert certify_chain(weighed, gold, DEFAULTS, TARGET) == certify_chain(verdicts, gold, DEFAULTS, TARGET)


def test_a_first_stage_that_is_bad_at_any_threshold_is_left_out():
    gold, verdicts = world(5, (0.7, 0.7), (0.98, 1.0))
    found = certify_chain(verdicts, gold, DEFAULTS, TARGET)
    assert found.chosen is not None
    assert found.chosen.thresholds[0] is None
    assert found.rules["one"] == StageRule(None, curve=found.rules["one"].curve, of_score=True)
    assert found.stages[1].kept > 500


def test_a_default_that_is_too_bold_is_replaced_by_a_stricter_one():
    gold, verdicts = world(6, (0.7, 1.0), (0.5, 0.5), size=3000)
    found = certify_chain(verdicts, gold, {"one": 0.7, "two": None}, TARGET)
    assert found.sequences[0].passed == 0
    assert found.chosen is not None
    assert (found.chosen.thresholds[0] or 0) > 0.75


def test_where_nothing_is_certified_the_rules_keep_nothing_and_the_number_of_checks_is_told():
    gold, verdicts = world(7, (1.0, 1.0), (0.5, 0.5), size=60)
    found = certify_chain(verdicts, gold, DEFAULTS, TARGET)
    assert not found.certified
    assert [rule.value for rule in found.rules.values()] == [None, None]
    (sentence,) = reasons(found)
    assert f"the gold set is too small, about {found.more_checks:,} more checked reviews would do" in sentence
    more = found.more_checks or 0
    larger, answers = world(7, (1.0, 1.0), (0.5, 0.5), size=60 + 2 * more)
    assert certify_chain(answers, larger, DEFAULTS, TARGET).certified


def test_a_chain_that_is_worse_than_the_target_is_told_that_nothing_helps():
    gold, verdicts = world(8, (0.8, 0.8), (0.8, 0.8))
    (sentence,) = reasons(certify_chain(verdicts, gold, DEFAULTS, TARGET))
    assert "no better than 0.95, and neither are stricter thresholds or shorter chains" in sentence


def test_a_gold_set_that_no_stage_answers_is_told_so():
    found = certify_chain({"one": [None] * 50, "two": [None] * 50}, ["a"] * 50, DEFAULTS, TARGET)
    assert not found.certified
    (sentence,) = reasons(found)
    assert "0 of 0 kept are right" in sentence


def test_an_empty_gold_set_certifies_nothing():
    assert not certify_chain({"one": [], "two": []}, [], DEFAULTS, TARGET).certified


@pytest.mark.parametrize("target", [0.0, 1.0, 95.0])
def test_a_target_that_is_no_share_is_refused(target):
    with pytest.raises(ValueError, match="expected a number between 0 and 1"):
        certify_chain({"one": []}, [], {"one": 0.8}, target)


# Floors


def test_a_floor_of_stages_stops_before_the_last_one_is_too_imprecise():
    gold, verdicts = world(9, *SLACK)
    free = certify_chain(verdicts, gold, DEFAULTS, TARGET, floors=Floors(0.0, 0.0))
    held = certify_chain(verdicts, gold, DEFAULTS, TARGET, floors=Floors(0.0, 0.93))
    assert free.chosen is not None
    assert held.chosen is not None
    assert free.stages[1].precision < 0.93 <= held.stages[1].precision
    assert held.chosen.kept < free.chosen.kept
    assert [part.name for part in held.broken] == ["two"]
    assert "would break --stage-floor: two" in next(iter(reasons(held)))
    assert held.chosen in free.passed, "floors only choose among the chains that are certified anyway"


def test_a_floor_of_categories_is_kept_or_nothing_is_certified():
    gold = ["a"] * 900 + ["b"] * 100
    verdicts: list[Verdict | None] = [
        Verdict(truth if truth == "a" or at % 4 else "b", 0.9) for at, truth in enumerate(gold)
    ]
    for at in range(40):
        verdicts[at] = Verdict("b", 0.9)
    given = {"one": [*verdicts]}
    free = certify_chain(given, gold, {"one": 0.8}, 0.9, floors=Floors(0.0, 0.0))
    held = certify_chain(given, gold, {"one": 0.8}, 0.9)
    assert free.certified
    assert not held.certified
    assert [(part.name, part.kept, part.right) for part in held.broken] == [("b", 140, 100)]
    first, last = reasons(held)
    assert "would break --category-floor: b, 100 of 140 right (0.714)" in first
    assert last == "every certified chain breaks a floor; set a lower one, or mend what is below it"


def test_a_category_with_too_few_answers_is_not_held_to_the_floor():
    few = FLOOR_ANSWERS - 1
    gold = ["a"] * (500 + few)
    verdicts: list[Verdict | None] = [Verdict("a", 0.9)] * 500 + [Verdict("b", 0.9)] * few
    assert certify_chain({"one": verdicts}, gold, {"one": 0.8}, 0.9).certified
    more = certify_chain({"one": [*verdicts, Verdict("b", 0.9)]}, [*gold, "a"], {"one": 0.8}, 0.9)
    assert not more.certified


def test_a_stage_that_answers_no_gold_review_keeps_nothing_whatever_the_others_may():
    answers = [Verdict("a", 0.5 + n / 1_000) for n in range(500)]
    verdicts: dict[str, list[Verdict | None]] = {
        "keywords": [*answers],
        "student": [None] * 500,
        "llm": [None] * 500,
    }
    defaults = {"keywords": 0.8, "student": None, "llm": 0.8}
    found = certify_chain(verdicts, ["a"] * 500, defaults, 0.95)
    assert found.chosen is not None
    assert found.chosen.thresholds == (0.5, None, None)
