"""Chains of stages: what is kept, what is guessed, and what leaving a stage out changes."""

from __future__ import annotations

import pytest

from shared.cascade.rule import Curve, StageRule
from shared.cascade.stage import Verdict
from shared.quality import chains

GOLD = ["shoes", "shoes", "toys", "toys"]
VERDICTS = {
    "keywords": [Verdict("shoes", 0.9), Verdict("toys", 0.6), None, None],
    "llm": [Verdict("toys", 0.99), Verdict("shoes", 0.95), Verdict("toys", 0.7), None],
}
RULES = {"keywords": StageRule(0.8), "llm": StageRule(0.8)}


def test_the_first_kept_verdict_is_the_label_and_later_stages_never_see_the_review():
    result = chains.run(("keywords", "llm"), VERDICTS, RULES, GOLD)
    assert result.kept == ["shoes", "shoes", None, None]
    assert [(stage.seen, stage.kept, stage.right) for stage in result.stages] == [
        ([0, 1, 2, 3], [0], 1),
        ([1, 2, 3], [1], 1),
    ]


def test_the_guess_of_a_stage_that_was_taught_goes_before_a_surer_one_by_words():
    verdicts = {
        "keywords": [Verdict("shoes", 0.7), Verdict("shoes", 0.7), None],
        "student": [Verdict("toys", 0.3), None, Verdict("toys", 0.3)],
        "llm": [None, None, Verdict("dishes", 0.2)],
    }
    rules = {name: StageRule(0.9) for name in verdicts}
    found = chains.run([*verdicts], verdicts, rules, ["toys"] * 3)
    assert found.labels == ["toys", "shoes", "dishes"]


def test_what_nobody_kept_ends_with_the_surest_guess_or_with_none():
    result = chains.run(("keywords", "llm"), VERDICTS, RULES, GOLD)
    assert result.labels == ["shoes", "shoes", "toys", None]
    assert (result.accepted.precision, result.accepted.coverage) == (1.0, 0.5)
    assert (result.final.answered, result.final.accuracy) == (3, 0.75)


def test_the_order_decides_who_is_asked_first():
    result = chains.run(("llm", "keywords"), VERDICTS, RULES, GOLD)
    assert result.kept[0] == "toys"
    assert result.name == "llm,keywords"


def test_calibrated_confidences_are_compared_with_thresholds_and_with_each_other():
    low = {"keywords": StageRule(0.8, curve=Curve((0.0, 1.0), (0.0, 0.5))), "llm": StageRule(0.99)}
    result = chains.run(("keywords", "llm"), VERDICTS, low, GOLD)
    assert result.kept == ["toys", None, None, None]
    assert result.labels[1] == "shoes", "0.95 of the one is more than 0.3 of the other"


def test_every_chain_that_leaves_stages_out_is_compared_once_in_the_given_order():
    assert chains.sub_chains(("a", "b", "c")) == [
        ("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c"),
    ]  # fmt: skip
    assert chains.without(("a", "b", "c"), "b") == ("a", "c")


@pytest.mark.parametrize("order", [("keywords",), ("llm",)])
def test_a_chain_of_one_stage_keeps_what_the_stage_keeps(order):
    result = chains.run(order, VERDICTS, RULES, GOLD)
    kept = [v.category if v and v.confidence >= 0.8 else None for v in VERDICTS[order[0]]]
    assert result.kept == kept


def test_what_a_stage_spares_the_last_one_is_told_for_every_threshold_and_for_the_one_that_holds():
    verdicts = {
        "student": [Verdict("toys", 0.9), Verdict("shoes", 0.5), None, Verdict("toys", 0.1)],
        "llm": [Verdict("toys", 0.9)] * 4,
    }
    rules = {"student": StageRule(0.5), "llm": StageRule(0.8)}
    order = ("student", "llm")
    found = chains.spared(order, rules, lambda other: chains.run(order, verdicts, other, ["toys"] * 4))
    assert (found.before, found.last) == ("student", "llm")
    shares = [point.share for point in found.points]
    assert (shares[0], shares[-1]) == (1.0, 0.25), "all of them, and the one that it says nothing of"
    assert shares == sorted(shares, reverse=True)
    assert (found.now.threshold, found.now.share) == (0.5, 0.5)
    assert found.points[0].weighted_f1 == 1.0 > found.now.weighted_f1
