"""The similarity stage with a sentence model instead of word vectors."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: `make models`")

from shared.encoders.sentence import SentenceEncoder
from shared.stages.similarity import SimilarityStage, sentences
from tests.support.small_shop import SMALL, TEXTS
from tests.support.stage_contract import check_stage
from tests.support.tiny_sentence_model import save_tiny_model


def test_the_stage_keeps_the_contract_with_a_sentence_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = save_tiny_model(tmp_path, list(chain(TEXTS, *map(sentences, SMALL.categories))))
    encoder = SentenceEncoder(str(model), query_prefix="запрос: ", device="cpu", local_files_only=True)
    check_stage(SimilarityStage(SMALL, encoder), SMALL, TEXTS)
