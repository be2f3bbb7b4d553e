"""The chains that are tried: fixed by the stages and their defaults alone."""

from __future__ import annotations

import numpy as np
import pytest

from shared.quality.chain_family import FIRST, MAIN_SHARE, family

CASCADE = {"keywords": 0.8, "similarity": 0.9, "student": None}


def test_the_main_sequence_begins_with_the_defaults_and_loosens_the_last_stage_first():
    main = family(CASCADE)[0]
    assert main.chains[:3] == ((0.8, 0.9, None), (0.8, 0.9, 0.99), (0.8, 0.9, 0.98))
    assert main.chains[100:102] == ((0.8, 0.9, 0.0), (0.8, 0.89, 0.0))
    assert main.chains[-1] == (0.0, 0.0, 0.0)
    assert main.share == MAIN_SHARE


def test_other_sequences_begin_stricter_and_without_each_stage_in_turn():
    _, half_way, strictest, *without, alone = family(CASCADE)
    assert (alone.name, alone.chains[0]) == ("student alone", (None, None, FIRST))
    assert half_way.chains[0] == (0.9, 0.95, None)
    assert strictest.chains[0] == (0.95, 0.975, None)
    assert [one.name for one in without] == ["without keywords", "without similarity", "without student"]
    for out, one in enumerate(without):
        assert all(chain[out] is None for chain in one.chains)
        assert len(set(one.chains)) == len(one.chains) > 100


@pytest.mark.parametrize(
    "defaults", [CASCADE, {"one": 0.7}, {"one": None}, {"a": None, "b": None}, {"a": 1.0, "b": 0.0}]
)
def test_the_shares_of_the_risk_are_one_risk_and_every_chain_keeps_something(defaults):
    sequences = family(defaults)
    assert sum(one.share for one in sequences) == pytest.approx(1.0)
    for one in sequences:
        for chain in one.chains:
            assert any(value is not None for value in chain)


def test_along_a_sequence_no_threshold_ever_rises():
    for one in family(CASCADE):
        for before, after in zip(one.chains, one.chains[1:], strict=False):
            for stricter, looser in zip(before, after, strict=True):
                assert stricter is None or (looser is not None and looser <= stricter)


def test_every_threshold_is_the_same_after_it_was_stored_as_a_float_of_four_bytes():
    for one in family({"a": 0.123456789, "b": 2 / 3, "c": None}):
        for value in {value for chain in one.chains for value in chain if value is not None}:
            assert float(str(np.float32(value))) == value


def test_a_stage_that_is_kept_only_under_a_certificate_begins_where_it_has_answers_if_it_is_alone():
    main, half_way, _ = family({"student": None})
    assert (main.chains[0], half_way.chains[0]) == ((FIRST,), ((1 + FIRST) / 2,))


def test_of_several_such_stages_the_last_one_begins():
    main, _, _, without_a, without_b = family({"a": None, "b": None})
    assert (main.chains[0], without_a.chains[0], without_b.chains[0]) == (
        (None, FIRST),
        (None, FIRST),
        (FIRST, None),
    )
