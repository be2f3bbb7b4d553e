"""Stages built from settings: each the way it is asked for, and each model once a process."""

from __future__ import annotations

import pytest

from shared.runtime.stages import LazyStages
from shared.settings import load
from shared.stages.similarity import encoder
from shared.taxonomy import default_taxonomy
from tests.support.small_shop import SMALL
from tests.support.stage_contract import built

NINE = default_taxonomy()


def test_a_stage_is_built_when_it_is_first_asked_for_and_only_once():
    made: list[str] = []

    def make(name: str):
        made.append(name)
        return built(name, SMALL, load(), None, 0)

    lazy = LazyStages(make)
    assert made == []
    assert lazy["keywords"] is lazy["keywords"]
    assert made == ["keywords"]
    with pytest.raises(KeyError):
        lazy["guessing"]


def test_two_taxonomies_share_the_word_vectors():
    assert encoder(load()) is encoder(load(batch_rows=7))
