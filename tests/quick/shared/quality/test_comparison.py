"""Who becomes champion: evidence on gold, no fallen category, and a sentence that says why."""

from __future__ import annotations

import random

import pytest

from shared.quality.bootstrap import Interval
from shared.quality.comparison import (
    FEWEST_APART,
    FEWEST_GOLD,
    judge,
    shared_certainty,
    signed,
    too_little,
    word,
)
from shared.quality.evaluation import score

NAMES = ("appliances", "clothes", "shoes", "none")
GOLD = [NAMES[at % 4] for at in range(400)]


def wrong(name: str) -> str:
    return NAMES[(NAMES.index(name) + 1) % 4]


def with_errors(*places: int, gold: list[str] = GOLD) -> list[str | None]:
    """The gold, wrong at some places."""
    return [wrong(name) if at in places else name for at, name in enumerate(gold)]


def test_a_clearly_better_challenger_wins_and_the_reason_has_the_figures():
    champion, challenger = with_errors(*range(80)), with_errors(*range(40))
    found = judge(GOLD, champion, challenger, most_fall=0.1)
    assert found.better
    assert (found.before, found.after) == (
        score(GOLD, champion).weighted_f1,
        score(GOLD, challenger).weighted_f1,
    )
    assert found.difference.low > 0
    assert found.fallen == ()
    low, high = signed(found.difference.low), signed(found.difference.high)
    assert found.reason == (
        f"weighted F1 0.800 → 0.900, +0.100 (95 %: {low} to {high}) on 400 gold reviews; "
        "no category fell by more than 0.10"
    )


def test_a_slightly_better_challenger_is_not_better_as_its_interval_reaches_zero():
    champion, challenger = with_errors(*range(60)), with_errors(*range(20, 60), *range(100, 118))
    found = judge(GOLD, champion, challenger, most_fall=0.5)
    assert found.difference.estimate > 0
    assert found.difference.low <= 0
    assert not found.better
    assert found.reason.startswith("not better: weighted F1 0.850 → 0.855, +0.005 (95 %: -")


def test_a_worse_challenger_is_not_better():
    found = judge(GOLD, with_errors(*range(20)), with_errors(*range(80)), most_fall=0.9)
    assert not found.better
    assert found.difference.high < 0


def test_a_category_that_falls_too_far_keeps_the_champion():
    shoes = [at for at, name in enumerate(GOLD) if name == "shoes"]
    others = [at for at, name in enumerate(GOLD) if name in ("appliances", "none")]
    champion, challenger = with_errors(*others[:120]), with_errors(*shoes[:40])
    found = judge(GOLD, champion, challenger, most_fall=0.1)
    assert found.difference.low > 0
    assert not found.better
    fall = found.fallen[0]
    assert (fall.category, fall.gold) == ("shoes", 100)
    assert fall.before - fall.after > 0.1
    assert found.reason.startswith(
        f"not better: shoes fell from {fall.before:.2f} to {fall.after:.2f} (100 gold reviews), more than 0.10; "
        "weighted F1 "
    )
    assert judge(GOLD, champion, challenger, most_fall=0.5).better


def test_a_fall_of_exactly_the_set_amount_is_allowed():
    gold = ["clothes"] * 300 + ["none"] * 100
    champion = with_errors(*range(100), gold=gold)
    challenger = [*gold[:300], *(["appliances"] * 40), *gold[340:]]
    before, after = (
        {row.category: row.f1 for row in score(gold, answers).categories}
        for answers in (champion, challenger)
    )
    fall = before["none"] - after["none"]
    assert fall > 0
    assert judge(gold, champion, challenger, most_fall=fall).better
    assert not judge(gold, champion, challenger, most_fall=fall - 0.001).better


def test_many_fallen_categories_are_counted_and_the_largest_falls_named():
    names = [f"c{at}" for at in range(8)]
    gold = [names[at % 8] for at in range(400)]
    found = judge(gold, gold, ["c0"] * 400, most_fall=0.05)
    assert len(found.fallen) == 8
    assert found.reason.count("fell from") == 3
    assert " and 5 more categories fell, more than 0.05" in found.reason


@pytest.mark.parametrize("n", [0, 1, FEWEST_GOLD - 1])
def test_with_too_little_gold_nobody_is_better(n):
    found = judge(GOLD[:n], [None] * n, GOLD[:n], most_fall=0.1)
    assert not found.better
    assert found.reason == f"not better: {n} gold reviews, fewer than 50"
    assert (found.difference.low, found.difference.high) == (-1, 1)


def test_equal_answers_are_not_better():
    found = judge(GOLD, with_errors(3, 9), with_errors(3, 9), most_fall=0.1)
    assert not found.better
    assert found.reason == "not better: all answers are the same"
    assert found.difference == Interval(0, 0, 0)


def test_a_handful_of_answers_is_luck_though_the_bootstrap_is_sure():
    found = judge(GOLD, with_errors(*range(0, 32, 4)), GOLD, most_fall=0.1)
    assert found.difference.low > 0
    assert not found.better
    assert found.reason == (
        "not better: only 8 of 400 gold reviews are answered rightly by one and wrongly by the other, fewer than 12"
    )
    assert judge(GOLD, with_errors(*range(FEWEST_APART)), GOLD, most_fall=0.1).better


def test_no_answer_is_an_answer_that_is_not_right():
    silent = [None if at < 60 else name for at, name in enumerate(GOLD)]
    assert judge(GOLD, silent, GOLD, most_fall=0.1).better
    assert not judge(GOLD, GOLD, silent, most_fall=0.9).better


def test_competing_challengers_need_more_evidence_each():
    champion, challenger = with_errors(*range(60)), with_errors(*range(28, 60), *range(200, 214))
    alone = judge(GOLD, champion, challenger, most_fall=0.5)
    among = judge(GOLD, champion, challenger, most_fall=0.5, comparisons=20)
    assert alone.better
    assert not among.better
    assert among.difference.low < alone.difference.low
    assert "(95 % over 20 comparisons: " in among.reason
    assert shared_certainty(0.95, 20) == pytest.approx(0.9975)


def test_a_challenger_that_is_much_better_is_found_nearly_always():
    rng = random.Random(7)
    found = 0
    for _ in range(60):
        gold = rng.choices(NAMES, k=600)
        one, other = ([n if rng.random() < p else wrong(n) for n in gold] for p in (0.8, 0.9))
        found += judge(gold, one, other, most_fall=1.0).better
    assert found >= 57


def test_reviews_tell_sets_of_seeds_apart_where_not_the_same_share_is_right():
    three = [with_errors(*range(20)), with_errors(*range(20)), with_errors(*range(20))]
    assert "all answers are the same" in (too_little(GOLD, three, three) or "")
    assert "only 0 of 400" in (too_little(GOLD, three[:1], three) or "")
    assert too_little(GOLD, [GOLD], three) is None


def test_a_word_is_said_only_where_the_interval_leaves_zero():
    assert [word(Interval(0, low, high)) for low, high in ((0.001, 0.2), (-0.2, -0.001), (-0.1, 0.1), (0, 0))] == [
        "better", "worse", "unclear", "unclear",
    ]  # fmt: skip


def test_a_bound_that_would_round_to_zero_keeps_a_digit():
    assert [signed(value) for value in (0.0184, -0.2, 0.0, 0.0002, -0.0004)] == [
        "+0.018", "-0.200", "+0.000", "+0.0002", "-0.0004",
    ]  # fmt: skip


@pytest.mark.parametrize(("most_fall", "comparisons"), [(-0.1, 1), (1.1, 1), (0.1, 0)])
def test_what_cannot_be_judged_is_refused_with_a_sentence(most_fall, comparisons):
    with pytest.raises(
        ValueError, match="judge: expected a fall between 0 and 1 and one comparison or more, found"
    ):
        judge(GOLD, GOLD, GOLD, most_fall=most_fall, comparisons=comparisons)


def test_lists_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        judge(GOLD, GOLD[:-1], GOLD, most_fall=0.1)
