"""Evidence is stored with nothing in it that follows from its row, and comes back whole."""

from __future__ import annotations

import msgspec
import pytest

from shared.cascade.stage import Match
from shared.store.judged.evidence import narrowed, widened

TEXT = "Не туфли, а очки"
SHOES = Match("туфли", 3, 8, "туфля", "shoes")
GLASSES = Match("очки", 12, 16, "очки", "glasses")


@pytest.mark.parametrize("evidence", [(), (SHOES,), (SHOES, GLASSES)])
def test_matches_come_back_as_they_were(evidence):
    stored = msgspec.json.decode(msgspec.json.encode(narrowed(evidence, "shoes")))
    assert msgspec.convert(widened(stored, "shoes", TEXT), tuple[Match, ...]) == evidence


def test_a_match_names_its_category_only_where_it_is_another_one():
    assert narrowed((SHOES, GLASSES), "shoes") == [(3, 8, "туфля"), (12, 16, "очки", "glasses")]


@pytest.mark.parametrize("stored", [None, {"next": "toys"}, [msgspec.to_builtins(SHOES)], []])
def test_named_values_and_matches_of_before_stay_as_they_are(stored):
    assert widened(stored, "shoes", TEXT) == stored
