"""Stages whose models torch runs, built from settings: each model once a process."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: `make models`")

from shared.cascade.stage import verdicts
from shared.errors import ConfigurationError
from shared.settings import load
from shared.taxonomy import default_taxonomy
from tests.support import tiny_models
from tests.support.chat_endpoint import SMALL
from tests.support.stage_contract import built
from tests.support.tiny_llm import save_tiny_llm

NINE = default_taxonomy()


def test_an_nli_model_is_loaded_once_for_all_taxonomies(tmp_path: Path):
    settings = load(zero_shot_model=str(tiny_models.xlm_roberta(tmp_path / "nli")), device="cpu")
    one, other = (built("zero_shot", taxonomy, settings, None, 0) for taxonomy in (NINE, SMALL))
    assert one.nli is other.nli  # type: ignore[attr-defined]
    assert len(one.slugs) != len(other.slugs)  # type: ignore[attr-defined]


def test_a_local_language_model_is_loaded_once_and_answers(tmp_path: Path):
    save_tiny_llm(tmp_path / "llm")
    settings = load(llm_model=str(tmp_path / "llm"), device="cpu")
    one, other = (built("llm", taxonomy, settings, None, 0) for taxonomy in (NINE, SMALL))
    assert one._backend is other._backend  # type: ignore[attr-defined]
    assert verdicts(one, ["Красивое платье"])[0] is not None


def test_a_sentence_model_that_is_not_there_is_a_matter_of_configuration():
    with pytest.raises(ConfigurationError):
        built("similarity", SMALL, load(similarity_encoder="./nowhere"), None, 0)
