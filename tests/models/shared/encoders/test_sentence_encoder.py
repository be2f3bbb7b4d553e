"""The encoder of sentence models, with a tiny one made here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: `make models`")

import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from shared.encoders.sentence import SentenceEncoder
from shared.errors import ConfigurationError
from shared.taxonomy import default_taxonomy
from tests.support import tiny_models
from tests.support.encoder_contract import EncoderContract
from tests.support.tiny_sentence_model import save_tiny_model


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    texts = [text for category in default_taxonomy().categories for text in category.examples]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield save_tiny_model(tmp_path_factory.mktemp("tiny"), texts)


def sentence_encoder(model, **options):
    return SentenceEncoder(str(model), device="cpu", **options)


class TestSentenceModel(EncoderContract):
    """The contract, by a sentence model."""

    @pytest.fixture
    def encoder(self, tiny_model: Path) -> SentenceEncoder:
        return sentence_encoder(tiny_model)


def test_static_vectors_without_a_network_are_an_encoder_too(tmp_path: Path) -> None:
    vectors = StaticEmbedding(tiny_models.wordpiece().backend_tokenizer, embedding_dim=16)
    SentenceTransformer(modules=[vectors], device="cpu").save(str(tmp_path))
    assert sentence_encoder(tmp_path).embed(["Платье село", "", "слово " * 9_000], "query").shape == (3, 16)


def test_a_prefix_stands_before_every_text(tiny_model: Path) -> None:
    plain = sentence_encoder(tiny_model)
    prefixed = sentence_encoder(tiny_model, query_prefix="чайник: ", document_prefix="туфли: ")
    texts = ["Платье село", "спасибо"]
    for role, prefix in (("query", "чайник: "), ("document", "туфли: ")):
        expected = plain.embed([prefix + text for text in texts], role)
        assert prefixed.embed(texts, role) == pytest.approx(expected, abs=1e-5)
        assert prefixed.embed(texts, role) != pytest.approx(plain.embed(texts, role), abs=1e-3)


def test_a_model_is_told_apart_by_its_weights_and_prefixes(tiny_model: Path, tmp_path: Path) -> None:
    other = save_tiny_model(tmp_path, ["другие слова"])
    names = {
        sentence_encoder(tiny_model).model,
        sentence_encoder(tiny_model, query_prefix="q: ").model,
        sentence_encoder(other).model,
    }
    assert len(names) == 3
    assert sentence_encoder(tiny_model).model == sentence_encoder(tiny_model).model


def test_a_model_that_cannot_be_loaded_is_named_with_what_to_do(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        ConfigurationError, match=r"expected a sentence-transformers model .* at .*empty"
    ) as caught:
        sentence_encoder(tmp_path / "empty", local_files_only=True)
    assert "or use the encoder 'navec'" in str(caught.value)


def test_weights_that_are_a_pickle_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "pickled"
    shutil.copytree(tiny_model, copy)
    weights = next(copy.rglob("model.safetensors"))
    torch.save(load_file(weights), weights.with_name("pytorch_model.bin"))
    weights.unlink()
    with pytest.raises(ConfigurationError, match="safetensors"):
        sentence_encoder(copy, local_files_only=True)
