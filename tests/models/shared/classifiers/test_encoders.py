"""Encoders of many families: each imports with equal answers, or is refused in a sentence. docs/encoders.md has all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: `make models`")

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from shared.classifiers import OnnxClassifier, softmax
from shared.classifiers.packaging.hugging_face import read_folder
from shared.classifiers.packaging.package import servable
from shared.classifiers.packaging.suitable import PROVEN
from shared.compute.arrays import Float32s
from shared.errors import ModelError
from shared.training.architectures import network, with_defaults
from shared.training.architectures.encoder import head_of
from tests.support import tiny_encoders
from tests.support.tiny_classifier import LABELS, TAXONOMY, TEXTS
from tests.support.tiny_training import chosen

IMPORTED = ["albert", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet", "roberta", "roformer"]
REFUSED = {
    "bart": "expected an encoder, such as BERT, found bart, which has a decoder behind it",
    "canine": "expected a model that has a vector for each token",
    "convbert": "expected a model whose answer does not depend on the padding behind a text",
    "xlnet": "expected a model whose answer does not depend on the padding behind a text",
}
TRAINED = ("full", "lora", "mlp", "bert_lstm")
SAMPLE = [*TEXTS[:60], "", "Платье", " ".join(TEXTS)]


def said(folder: Path) -> Float32s:
    """What transformers says of the sample, as a user would ask it."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    inputs = tokenizer(SAMPLE, padding=True, truncation=True, max_length=64, return_tensors="pt")
    with torch.inference_mode():
        return softmax(model(**inputs).logits.numpy(), 1.0)


@pytest.mark.parametrize("kind", IMPORTED)
def test_an_encoder_serves_with_the_answers_of_transformers(kind: str, tmp_path: Path) -> None:
    folder = tiny_encoders.saved(tmp_path, kind, LABELS)
    made = read_folder(folder, TAXONOMY)
    assert (made.architecture, made.max_tokens) == (kind, 64)
    ready, expected = servable(made, TAXONOMY, SAMPLE), said(folder)
    fp32 = OnnxClassifier(
        ready.contents["model.fp32.onnx"], made.tokenizer, LABELS, max_tokens=made.max_tokens
    )
    np.testing.assert_allclose(fp32.predict(SAMPLE).probabilities, expected, atol=1e-3)
    served = ready.classifier.predict(SAMPLE).probabilities
    assert (served.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.98
    np.testing.assert_allclose(served, expected, atol=0.05)
    assert kind in PROVEN
    says = ready.manifest.export
    assert says is not None
    assert "in float" not in says.fallback


@pytest.mark.parametrize("kind", REFUSED)
def test_an_encoder_that_cannot_serve_is_refused_in_a_sentence(kind: str, tmp_path: Path) -> None:
    folder = tiny_encoders.saved(tmp_path, kind, LABELS)
    with pytest.raises(ModelError, match=REFUSED[kind]) as error:
        read_folder(folder, TAXONOMY)
    assert str(folder) in str(error.value)
    base = tiny_encoders.saved(tmp_path / "base", kind)
    with pytest.raises(ModelError, match=REFUSED[kind]):
        network("full").build(with_defaults(chosen(base)), LABELS)


@pytest.mark.parametrize("kind", IMPORTED)
def test_an_encoder_is_trained_on_with_a_head_of_its_own(kind: str, tmp_path: Path) -> None:
    folder = tiny_encoders.saved(tmp_path, kind)
    ids = torch.tensor([[2, 7, 9, 3], [2, 8, 3, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    for architecture in TRAINED:
        arguments = with_defaults(chosen(folder, architecture, dropout=0.37))
        built = network(architecture).build(arguments, LABELS)
        trained = {name for name, one in built.model.named_parameters() if one.requires_grad}
        if architecture == "lora":
            plain = built.model.base_model.model
            heads = {name for name, part in head_of(plain).items() if list(part.parameters())}
            assert all(any(f"{name}.modules_to_save" in one for one in trained) for name in heads)
        if architecture == "full":
            assert 0.37 in {part.p for part in built.model.modules() if isinstance(part, torch.nn.Dropout)}
        assert network(architecture).finished(built.model)(ids, mask).shape == (2, len(LABELS))


def test_a_family_that_nobody_has_proven_is_exported_before_it_is_trained(tmp_path: Path) -> None:
    folder = tiny_encoders.saved(tmp_path, "longformer")
    assert "longformer" not in PROVEN
    with pytest.raises(ModelError, match=r"expected a network that torch\.onnx can export, found"):
        network("full").build(with_defaults(chosen(folder)), LABELS)
