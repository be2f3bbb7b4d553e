"""Importing a folder of transformers: what is taken, and every crafted folder that is refused."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: `make models`")

import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2ForSequenceClassification

from shared.classifiers import Location, OnnxClassifier, softmax
from shared.classifiers.onnx_classifier import Tokens
from shared.classifiers.packaging.hugging_face import read_folder, trainers_files
from shared.classifiers.packaging.logits import torch_logits
from shared.classifiers.packaging.measuring import measured
from shared.classifiers.packaging.package import package
from shared.errors import ModelError
from shared.taxonomy import Taxonomy
from tests.support import tiny_classifier, tiny_models
from tests.support.tiny_classifier import LABELS, TAXONOMY, TEXTS

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_classifier.folder(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "tiny"))


def change_config(folder: Path, **fields: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields), encoding="utf-8")


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def refused(folder: Path, taxonomy: Taxonomy = TAXONOMY) -> str:
    with pytest.raises(ModelError) as error:
        read_folder(folder, taxonomy)
    assert str(folder) in str(error.value)
    return str(error.value)


# What is taken


def test_a_folder_becomes_an_artefact_that_answers_as_the_model_does(folder: Path, tmp_path: Path) -> None:
    made = read_folder(folder, TAXONOMY)
    artefact = package(made, TAXONOMY, TEXTS, Location(str(tmp_path / "models")))
    classifier = artefact.classifier()
    assert isinstance(classifier, OnnxClassifier)
    assert classifier.labels == LABELS
    ids, _ = classifier.tokens(TEXTS)
    expected = softmax(torch_logits(made.network, ids))
    found = classifier.predict(TEXTS).probabilities
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.995
    says = artefact.manifest
    assert (says.taxonomy, says.taxonomy_version, says.architecture) == ("test", TAXONOMY.version, "bert")
    assert says.reference is not None
    np.testing.assert_allclose(sum(says.reference.categories.values()), 1.0)
    assert set(says.files) >= {
        "README.md",
        "config.json",
        "model.fp32.onnx",
        "model.safetensors",
        "tokenizer.json",
    }
    card = artefact.read("README.md").decode()
    assert "clothes, shoes, electronics, nothing" in card
    assert "the same category for 100.00%" in card


def test_titles_in_any_order_are_understood(folder: Path) -> None:
    titles = ["Нет товара", "электроника", "обувь", "одежда"]
    change_config(folder, id2label=dict(enumerate(titles)), label2id={t: n for n, t in enumerate(titles)})
    assert read_folder(folder, TAXONOMY).labels == ("nothing", "electronics", "shoes", "clothes")


def test_a_folder_with_a_vocabulary_instead_of_a_tokenizer_json_is_taken(folder: Path) -> None:
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "tokenizer.json").unlink()
    words = sorted(vocabulary, key=vocabulary.get)
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "BertTokenizer", "do_lower_case": false}'
    )
    assert b'"WordPiece"' in read_folder(folder, TAXONOMY).tokenizer


def test_what_the_trainer_leaves_beside_a_model_is_left_out(folder: Path) -> None:
    for name in ("training_args.bin", "rng_state_0.pth"):
        (folder / name).write_bytes(pickle.dumps(0))
    assert trainers_files(folder) == ["rng_state_0.pth", "training_args.bin"]
    assert set(read_folder(folder, TAXONOMY).files) == {"config.json", "model.safetensors"}


def test_the_longest_text_is_what_the_network_has_positions_for(folder: Path) -> None:
    assert read_folder(folder, TAXONOMY).max_tokens == 64
    assert read_folder(folder, TAXONOMY, 10).max_tokens == 10


def test_a_model_is_measured_and_calibrated_on_checked_reviews(folder: Path, tmp_path: Path) -> None:
    made = read_folder(folder, TAXONOMY)
    ids, _ = Tokens(made.tokenizer, made.max_tokens)(TEXTS)
    answers = torch_logits(made.network, ids).argmax(axis=1)
    rng = np.random.default_rng(0)
    right = rng.random(len(TEXTS)) < 0.7
    truth = [
        LABELS[answer if good else (answer + 1) % 4] for answer, good in zip(answers, right, strict=True)
    ]
    known = measured(made, TEXTS, truth)
    assert known.metrics["accuracy"] == pytest.approx(right.mean())
    assert known.metrics["gold_reviews"] == len(TEXTS)
    artefact = package(known, TAXONOMY, TEXTS, Location(str(tmp_path)))
    assert artefact.manifest.metrics == known.metrics
    assert "(not calibrated)" not in artefact.read("README.md").decode()
    assert artefact.manifest.temperature == known.temperature
    logits = torch_logits(made.network, ids)
    columns = [LABELS.index(slug) for slug in truth]

    def loss(temperature: float) -> float:
        return float(-np.log(softmax(logits, temperature)[np.arange(len(columns)), columns]).mean())

    assert loss(known.temperature) < min(
        loss(1.0), loss(known.temperature * 1.2), loss(known.temperature / 1.2)
    )
    with pytest.raises(ValueError, match="expected at least one checked review"):
        measured(made, [], [])


# What is refused


def test_a_folder_that_is_not_there_or_no_model_is_refused(tmp_path: Path) -> None:
    assert "found no readable config.json" in refused(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text("[]")
    assert "expected a JSON object, found list" in refused(tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "extra.PKL"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_pickle_is_refused_and_never_read(folder: Path, name: str, alone: bool) -> None:
    class Dangerous:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return Path.touch, (folder.parent / "was run",)  # type: ignore[return-value]

    (folder / name).write_bytes(pickle.dumps(Dangerous()))
    if alone:
        (folder / WEIGHTS).unlink()
    assert f"found {name}: a pickle can run code" in refused(folder)
    assert not (folder.parent / "was run").exists()


def test_code_that_a_model_brings_is_refused(folder: Path) -> None:
    (folder / "modeling_evil.py").write_text("raise SystemExit")
    assert "one that brings code of its own; it is not run" in refused(folder)
    (folder / "modeling_evil.py").unlink()
    change_config(folder, auto_map={"AutoModelForSequenceClassification": "other/repository--evil.Evil"})
    assert "one that brings code of its own" in refused(folder)


def test_a_model_of_another_kind_is_refused(folder: Path) -> None:
    change_config(folder, architectures=["BertForMaskedLM"])
    assert "expected an architecture ...ForSequenceClassification, found BertForMaskedLM" in refused(folder)


@pytest.mark.parametrize(
    "labels",
    [
        ["clothes", "shoes", "electronics", "food"],
        ["clothes", "shoes", "electronics"],
        ["clothes", "shoes", "electronics", "nothing", "food"],
        ["clothes", "shoes", "nothing", "nothing"],
        ["LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3"],
    ],
)
def test_other_labels_than_the_categories_are_refused(folder: Path, labels: list[str]) -> None:
    change_config(folder, id2label=dict(enumerate(labels)), label2id={})
    sentence = refused(folder)
    assert "expected the categories of the taxonomy test in id2label" in sentence
    assert f"found {', '.join(labels)}" in sentence


@pytest.mark.parametrize(
    "fields", [{"id2label": ["a"]}, {"id2label": None}, {"architectures": 5}, {"architectures": []}]
)
def test_a_config_of_another_form_is_refused(folder: Path, fields: dict[str, Any]) -> None:
    change_config(folder, **fields)
    assert "expected" in refused(folder)


def test_more_layers_than_weights_are_refused_before_they_fill_the_memory(folder: Path) -> None:
    change_config(folder, num_hidden_layers=10**9)
    assert "expected no more layers than weights, found 1,000,000,000 layers" in refused(folder)


def test_a_config_that_nests_too_deep_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000)
    assert "found no readable config.json" in refused(folder)


def test_a_tokenizer_with_more_tokens_than_the_model_has_vectors_is_refused(folder: Path) -> None:
    tiny_models.name_a_token_out_of_reach(folder)
    assert "as many as the model has vectors for, found number 1,000,000" in refused(folder)


def test_weights_that_are_missing_are_refused(folder: Path) -> None:
    change_weights(folder, lambda weights: weights.pop("classifier.weight"))
    assert "found 1 missing or of another shape (first: classifier.weight)" in refused(folder)
    (folder / WEIGHTS).unlink()
    assert "expected weights in model.safetensors, found none" in refused(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(folder: Path, value: float) -> None:
    change_weights(folder, lambda weights: weights["bert.pooler.dense.bias"].fill_(value))
    assert "found NaN or infinity in bert.pooler.dense.bias" in refused(folder)


@pytest.mark.parametrize("kept", [0, 4, 100, 20_000])
def test_a_truncated_file_is_refused(folder: Path, kept: int) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[:kept])
    assert "expected" in refused(folder)


def test_a_damaged_tokenizer_is_refused(folder: Path) -> None:
    content = (folder / "tokenizer.json").read_bytes()
    (folder / "tokenizer.json").write_bytes(content[: len(content) // 2])
    assert "expected a tokenizer that transformers can load" in refused(folder)


@pytest.mark.parametrize("pad", [2, None])
def test_a_model_that_reads_the_last_token_is_refused(tmp_path: Path, pad: int | None) -> None:
    folder = tiny_classifier.folder(tmp_path / "model", LABELS)
    config = json.loads((folder / "config.json").read_text())
    numbered = {int(number): label for number, label in config["id2label"].items()}
    decoder = GPT2Config(
        vocab_size=config["vocab_size"], n_positions=64, n_embd=16, n_layer=1, n_head=2, pad_token_id=pad,
        id2label=numbered, label2id={label: number for number, label in numbered.items()},
    )  # fmt: skip
    GPT2ForSequenceClassification(decoder).save_pretrained(folder)
    with pytest.raises(
        ModelError, match=r"expected a model (whose answer does not depend|that reads texts of)"
    ):
        read_folder(folder, TAXONOMY)
