"""What becomes of a newly trained model: only evidence, or a person, lets it serve."""

from __future__ import annotations

from typing import Any

from shared.quality.promotion import PromotionDecision, decide

TRUTH = ["shoes", "clothes"] * 100
RIGHT = list(TRUTH)
HALF = [name if at % 4 < 2 else "shoes" for at, name in enumerate(TRUTH)]
"""Right about three of four."""


def decided(challenger: list[str], champion: list[str] | None = None, **other: Any) -> PromotionDecision:
    given = {"automatic": True, "held": "", "most_fall": 0.1, "comparisons": 1, **other}
    return decide(TRUTH, challenger, champion, **given)


def test_a_better_model_becomes_champion_and_a_worse_one_stays_challenger() -> None:
    assert decided(RIGHT, HALF).place == "champion"
    worse = decided(HALF, RIGHT)
    assert worse.place == "challenger"
    assert worse.reason.startswith("not better")


def test_nothing_is_moved_without_being_asked_to_and_the_verdict_is_told_all_the_same() -> None:
    found = decided(RIGHT, HALF, automatic=False)
    assert found.place is None
    assert found.verdict is not None
    assert found.verdict.better
    assert (
        decided(RIGHT, automatic=False).reason
        == "no automatic promotion was asked for, and nobody serves yet; weighted F1 1.000 on 200 gold reviews"
    )


def test_a_model_that_says_what_the_champion_says_is_no_challenger() -> None:
    assert decided(HALF, HALF).place is None


def test_what_a_person_has_taken_back_is_not_replaced_by_a_run() -> None:
    held = "the champion was rolled back by anna"
    found = decided(RIGHT, HALF, held=held)
    assert (found.place, found.reason.startswith(held)) == ("challenger", True)
    assert decided(RIGHT, None, held="the champion was withdrawn by anna").place is None


def test_the_first_champion_must_be_better_than_the_commonest_category_alone() -> None:
    assert decided(RIGHT).place == "champion"
    found = decided(["shoes"] * len(TRUTH))
    assert found.place is None
    assert "its accuracy of 0.500 is no more than the commonest category alone has" in found.reason


def test_too_little_gold_makes_nobody_the_first_champion() -> None:
    given: dict[str, Any] = {"automatic": True, "held": "", "most_fall": 0.1, "comparisons": 1}
    assert decide(TRUTH[:49], RIGHT[:49], None, **given).place is None
    assert "no gold to measure on" in decide([], [], None, **given).reason
