"""Rules for a chain that a gold set certifies: what is promised holds on reviews that were not looked at."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scripts.quality.stage_calibration import reasons
from shared.cascade.rule import StageRule
from shared.cascade.stage import Verdict
from shared.quality import chains
from shared.quality.certification import REST, certify_stages

TARGET = 0.95


def stage(rng: np.random.Generator, gold: list[str], skill: float) -> list[Verdict | None]:
    """A stage whose score is the probability that it is right; it abstains on every tenth."""
    answers: list[Verdict | None] = []
    for truth in gold:
        score = float(rng.beta(5 * skill, 1))
        right = rng.random() < score
        other = "b" if truth == "a" else "a"
        answers.append(Verdict(truth if right else other, score) if rng.random() < 0.9 else None)
    return answers


def world(seed: int, size: int = 2000) -> tuple[list[str], dict[str, list[Verdict | None]]]:
    rng = np.random.default_rng(seed)
    gold = ["a" if rng.random() < 0.6 else "b" for _ in range(size)]
    return gold, {"one": stage(rng, gold, 2.0), "two": stage(rng, gold, 1.0)}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("per_category", [False, True])
def test_what_is_certified_holds_on_fresh_reviews(seed, per_category):
    gold, verdicts = world(seed, 3_000)
    findings = certify_stages(verdicts, gold, TARGET, per_category=per_category)
    assert findings[0].certified
    fresh, answers = world(seed + 1000, 8_000)
    result = chains.run(tuple(verdicts), answers, {found.stage: found.rule for found in findings}, fresh)
    assert result.accepted.answered > 1000
    for part in result.stages:
        if part.kept:
            assert part.precision >= TARGET - math.sqrt(TARGET * (1 - TARGET) / len(part.kept))


def test_a_stage_is_judged_only_by_the_reviews_that_reach_it():
    gold, verdicts = world(1)
    first, second = certify_stages(verdicts, gold, TARGET)
    kept = sum(v is not None and first.rule.keeps(first.rule.weigh(v)) for v in verdicts["one"])
    assert (first.reached, second.reached) == (len(gold), len(gold) - kept)


def test_a_stage_that_is_not_certified_keeps_nothing_unless_that_is_allowed():
    gold, verdicts = world(2, 60)
    (only, _) = certify_stages(verdicts, gold, TARGET)
    assert not only.certified
    assert only.rule.value is None
    present = {name: StageRule(0.8) for name in verdicts}
    assert certify_stages(verdicts, gold, TARGET, uncertified=present)[0].rule == StageRule(0.8)


def test_too_small_a_gold_set_is_told_with_the_number_of_checks_that_would_do():
    verdicts: list[Verdict | None] = [Verdict("a", 0.9)] * 40
    (found,) = certify_stages({"one": verdicts}, ["a"] * 40, TARGET)
    (sentence,) = reasons(found, TARGET).values()
    assert "40 of 40 right" in sentence
    more = found.certificates[REST].more_checks
    assert f"about {more:,} more checked reviews" in sentence
    (enough,) = certify_stages({"one": verdicts * 5}, ["a"] * 200, TARGET)
    assert enough.certified
    assert more <= 160


def test_a_stage_below_the_target_is_told_that_more_checks_would_not_help():
    verdicts: list[Verdict | None] = [Verdict("a", 0.9)] * 100
    (found,) = certify_stages({"one": verdicts}, ["a", "b"] * 50, TARGET)
    assert "more checks would not help" in reasons(found, TARGET)[REST]


def test_a_stage_that_is_hardly_ever_right_is_told_so():
    verdicts: list[Verdict | None] = [Verdict("a", 0.9)] * 100
    (found,) = certify_stages({"one": verdicts}, ["b"] * 100, TARGET)
    assert reasons(found, TARGET)[REST] == "none of its 100 answers reaches a confidence of 0.5"


def test_a_tiny_set_without_a_mistake_is_told_how_many_more_checks_would_do():
    (found,) = certify_stages({"one": [Verdict("a", 0.9)]}, ["a"], TARGET)
    assert "about" in reasons(found, TARGET)[REST]


def test_a_stage_that_no_gold_review_reaches_is_told_so():
    gold = ["a"] * 400
    sure: list[Verdict | None] = [Verdict("a", 0.9)] * 400
    (_, second) = certify_stages({"one": sure, "two": sure}, gold, TARGET)
    assert (second.reached, second.answers, second.rule.value) == (0, 0, None)
    assert reasons(second, TARGET)[REST] == "the gold set has no review that it answers"


def test_categories_get_a_certificate_of_their_own_by_their_number_alone():
    gold = ["a"] * 600 + ["b"] * 600 + ["c"] * 3
    wrong_on_b: list[Verdict | None] = [
        Verdict("a", 0.9 + at % 7 / 100)
        if truth == "a"
        else Verdict(truth if at % 3 else "a", 0.6 + at % 7 / 100)
        for at, truth in enumerate(gold)
    ]
    (found,) = certify_stages({"one": wrong_on_b}, gold, TARGET, per_category=True)
    assert set(found.certificates) == {"a", "b", REST}
    assert found.certificates[REST].answers == 2
    assert found.rule.value is None
