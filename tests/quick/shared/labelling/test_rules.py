"""Which rule holds: of a stored version, for its model and its chain, of the settings, or a stage's default."""

from __future__ import annotations

from collections.abc import Sequence

from shared.cascade.rule import Curve, StageRule
from shared.cascade.stage import ABSTAINED, Answer, Verdict
from shared.labelling.rules import resolve
from shared.store.thresholds import StoredRule

ORDER = ("keywords", "student")
STORED = StoredRule(
    "m/1", StageRule(0.7, curve=Curve((0.0, 1.0), (0.0, 0.5)), version=3, of_score=True), ORDER
)


class Silent:
    """A stage that has nothing to say."""

    def __init__(self, name: str, model: str = "m/1", default_threshold: float | None = 0.8) -> None:
        self.name = name
        self.model = model
        self.default_threshold = default_threshold

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """Nothing."""
        return [ABSTAINED] * len(texts)


def test_a_chains_rule_holds_for_its_model_in_its_order_and_else_the_default():
    assert resolve(Silent("student"), {}, STORED, ORDER) == STORED.rule
    for order in (("student", "keywords"), ("student",), (*ORDER, "llm"), ()):
        assert resolve(Silent("student"), {}, STORED, order) == StageRule(0.8)
    assert resolve(Silent("student", "m/2"), {}, STORED, ORDER) == StageRule(0.8)


def test_a_rule_of_a_stage_by_itself_holds_in_any_chain():
    alone = StoredRule("m/1", StageRule(0.9, version=3))
    assert resolve(Silent("student"), {}, alone, ("llm", "student")) == alone.rule


def test_a_stage_without_a_default_keeps_nothing_but_by_a_rule_for_its_model_in_its_chain():
    def rule(stored: StoredRule | None, model: str = "m/1", order: Sequence[str] = ORDER) -> StageRule:
        return resolve(Silent("student", model, None), {}, stored, order)

    sure = Verdict("shoes", 1.0)
    assert rule(STORED).keeps(sure)
    for other in (rule(None), rule(STORED, "m/2"), rule(STORED, order=("student",))):
        assert not other.keeps(sure)
    chosen = resolve(Silent("student", default_threshold=None), {"student": 0.9}, None, ORDER)
    assert chosen.keeps(sure), "whoever sets a threshold by hand wants it"


def test_a_threshold_of_the_settings_is_a_confidence_whatever_is_stored():
    rule = resolve(Silent("student"), {"student": 0.45}, STORED, ORDER)
    assert (rule.of_score, rule.version, rule.curve) == (False, None, STORED.rule.curve)
    assert rule.keeps(rule.weigh(Verdict("shoes", 0.9)))
    assert not rule.keeps(rule.weigh(Verdict("shoes", 0.88)))


def test_a_threshold_of_the_settings_for_one_category_leaves_the_others_to_their_score():
    rule = resolve(Silent("student"), {"student/shoes": 0.45}, STORED, ORDER)
    kept = [rule.keeps(rule.weigh(Verdict(slug, 0.88))) for slug in ("shoes", "toys")]
    assert (kept, rule.version) == ([False, True], None)
