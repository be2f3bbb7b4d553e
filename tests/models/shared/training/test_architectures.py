"""What every network does, on a tiny real encoder and on the real word vectors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: `make models`")

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from shared.catalogue import ARCHITECTURES
from shared.classifiers import OnnxClassifier, softmax
from shared.classifiers.artefact import WEIGHTS
from shared.classifiers.onnx_classifier import Tokens
from shared.classifiers.packaging.export import export
from shared.classifiers.packaging.logits import torch_logits
from shared.classifiers.packaging.package import Package
from shared.classifiers.packaging.quantising import left_in_float
from shared.encoders.navec import NavecEncoder, word_vectors
from shared.errors import ModelError, TrainingError
from shared.training.architectures import Built, network, networks, with_defaults
from shared.training.arguments import arguments
from shared.training.network import train
from tests.support import tiny_models, tiny_training
from tests.support.once import once
from tests.support.tiny_training import LABELS, Eyes, chosen, data

ODD = ["", " ", "👗" * 40, "\x00", "[CLS] [PAD] [UNK]", "а" * 500, "𝕏\n\t\r", "Платье!"]
LONG = " ".join(row.text for row in data().train[:10])
TEXTS = [*(row.text for row in data().train), *ODD, LONG]
ENCODERS = sorted(name for name, row in ARCHITECTURES.items() if row.pretrained)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_training.base(tmp_path_factory.mktemp("base") / "tiny-encoder")


class Trained:
    """A trained network, and the graph of it that serves."""

    def __init__(self, made: Package) -> None:
        self.made = made
        self.exported = export(
            made.network,
            made.tokenizer,
            made.labels,
            TEXTS,
            max_tokens=made.max_tokens,
            temperature=made.temperature,
        )

    def ids(self, texts: list[str]) -> list[list[int]]:
        return Tokens(self.made.tokenizer, self.made.max_tokens)(texts)[0]

    def served(self, precision: str = "fp32", **options: int) -> OnnxClassifier:
        made, graph = self.made, self.exported.graphs[f"model.{precision}.onnx"]
        return OnnxClassifier(
            graph,
            made.tokenizer,
            made.labels,
            max_tokens=made.max_tokens,
            temperature=made.temperature,
            **options,
        )


@pytest.fixture(scope="module", params=sorted(networks()))
def trained(request: pytest.FixtureRequest, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    def make(folder: Path) -> Trained:
        return Trained(train(chosen(base, request.param), data(), folder, Eyes()))

    return once(tmp_path_factory, f"trained-{request.param}", make)


def test_two_obvious_categories_are_learned(trained: Trained) -> None:
    rows = (*data().train, *data().validation)
    found = trained.served().predict([row.text for row in rows]).probabilities.argmax(axis=1)
    assert np.mean([LABELS[column] == row.category for column, row in zip(found, rows, strict=True)]) > 0.85


def test_the_graph_says_what_the_network_says_of_any_text(trained: Trained) -> None:
    alone = np.concatenate([torch_logits(trained.made.network, [one]) for one in trained.ids(TEXTS)])
    expected = softmax(alone, trained.made.temperature)
    assert np.isfinite(expected).all()
    found = trained.served().predict(TEXTS).probabilities
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_int8_is_made_and_compared(trained: Trained) -> None:
    told = trained.exported.export
    assert told.int8 is not None
    assert told.int8.same > 0.9
    assert np.isfinite(trained.served("int8").predict(TEXTS).probabilities).all()
    assert left_in_float(trained.exported.graphs["model.int8.onnx"]) == {}


def test_an_answer_does_not_depend_on_padding_or_neighbours(trained: Trained) -> None:
    together = torch_logits(trained.made.network, trained.ids(TEXTS), rows=100)
    alone = np.concatenate([torch_logits(trained.made.network, [one]) for one in trained.ids(TEXTS)])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    for tokens in (1, 60, 100_000):
        found = trained.served(tokens_per_batch=tokens).predict(TEXTS[::-1]).probabilities[::-1]
        np.testing.assert_allclose(found, trained.served().predict(TEXTS).probabilities, atol=2e-5)


def test_a_text_longer_than_max_tokens_is_cut_and_flagged(trained: Trained) -> None:
    assert trained.made.max_tokens == 24
    assert max(map(len, trained.ids(TEXTS))) == 24
    found = trained.served().predict([LONG, "Платье", LONG + " и ещё слова"])
    assert found.truncated.tolist() == [True, False, True]
    np.testing.assert_allclose(found.probabilities[0], found.probabilities[2], atol=2e-5)


def test_the_files_of_a_package_are_a_model_that_transformers_can_load(
    trained: Trained, tmp_path: Path
) -> None:
    made = trained.made
    for name, content in made.files.items():
        (tmp_path / name).write_bytes(content)
    model = made.network.model
    loaded, told = type(model).from_pretrained(tmp_path, use_safetensors=True, output_loading_info=True)
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    expected = torch_logits(made.network, trained.ids(TEXTS))
    np.testing.assert_allclose(
        torch_logits(type(made.network)(loaded.eval()), trained.ids(TEXTS)), expected, atol=1e-5
    )
    model.save_pretrained(tmp_path / "again")
    again = type(model).from_pretrained(tmp_path / "again").eval()
    np.testing.assert_allclose(
        torch_logits(type(made.network)(again), trained.ids(TEXTS)), expected, atol=1e-5
    )


def test_a_package_says_what_it_is_without_folders_of_this_machine(trained: Trained, base: Path) -> None:
    made = trained.made
    config = json.loads(made.files["config.json"])
    assert config["id2label"] == {"0": "clothes", "1": "electronics"}
    assert config["architectures"] == [type(made.network.model).__name__]
    assert str(base.parent) not in made.files["config.json"].decode() + made.origin
    assert ("navec/" if made.architecture == "lstm" else "tiny-encoder") in made.origin
    assert 0.05 <= made.temperature <= 20


# What a network begins with


def built(base: Path, architecture: str, **values: Any) -> Built:
    torch.manual_seed(int(values.get("seed", 0)))
    filled = with_defaults(chosen(base, architecture, **values))
    return network(architecture).build(filled, LABELS)


def word_embeddings(model: Any) -> torch.Tensor:
    found = [value for name, value in model.state_dict().items() if name.endswith("word_embeddings.weight")]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("architecture", ENCODERS)
def test_an_encoder_begins_with_its_pretrained_weights(base: Path, architecture: str) -> None:
    begun = built(base, architecture).model.state_dict()
    for name, expected in load_file(base / WEIGHTS).items():
        plain = {key.replace(".base_layer", ""): value for key, value in begun.items()}
        found = [value for key, value in plain.items() if key.endswith(f".{name}")]
        assert found or name.startswith("pooler."), name
        assert all(torch.equal(value, expected) for value in found), name


@pytest.mark.parametrize("architecture", ENCODERS)
def test_random_weights_need_a_config_only_and_depend_on_the_seed(
    base: Path, tmp_path: Path, architecture: str
) -> None:
    folder = Path(shutil.copytree(base, tmp_path / "config"))
    (folder / WEIGHTS).unlink()
    made = built(folder, architecture, random_weights=True)
    begun = [word_embeddings(made.model)]
    begun += [
        word_embeddings(built(folder, architecture, random_weights=True, seed=seed).model) for seed in (0, 1)
    ]
    assert torch.equal(begun[0], begun[1])
    assert not torch.equal(begun[0], begun[2])
    assert made.origin == "config with random weights"


def test_an_encoder_reads_no_more_tokens_than_it_has_positions_for(base: Path) -> None:
    assert built(base, "full", max_tokens=8_000).max_tokens == 64


def test_what_is_not_given_is_the_architectures_own(base: Path) -> None:
    filled = with_defaults(arguments(architecture="lora", epochs=2))
    assert (filled.base, filled.epochs) == ("DeepPavlov/rubert-base-cased", 2)
    assert with_defaults(arguments(architecture="full")).base == "cointegrated/rubert-tiny2"
    for name in networks():
        filled = with_defaults(arguments(architecture=name))
        assert None not in (
            filled.epochs,
            filled.batch_rows,
            filled.learning_rate,
            filled.dropout,
            filled.balance,
        )
    with pytest.raises(
        TrainingError, match="expected one of lstm, mlp, full, bert_lstm, lora, found 'linear'"
    ):
        with_defaults(arguments(architecture="linear"))


# What is special in one


def test_lora_trains_few_weights_and_leaves_no_adapters_behind(base: Path) -> None:
    made = built(base, "lora", lora_rank=2)
    wanted = {name for name, one in made.model.named_parameters() if one.requires_grad}
    assert wanted
    assert all("lora_" in name or ".classifier." in name for name in wanted)
    finished = network("lora").finished(made.model)
    assert type(finished.model).__name__ == "BertForSequenceClassification"
    assert not [name for name in finished.model.state_dict() if "lora" in name or "base_layer" in name]


def test_the_encoder_of_mlp_stays_as_it_is_while_it_is_trained(base: Path) -> None:
    made = built(base, "mlp")
    model, ids = made.model, torch.tensor([[2, 7, 9, 3], [2, 8, 3, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    first, second = (model.train().features(ids, mask) for _ in range(2))
    assert torch.equal(first, second)
    assert not [one for one in model.encoder.parameters() if one.requires_grad]
    examples = network("mlp").examples(model, [[2, 7, 9, 3], [2, 8, 3]], torch.device("cpu"))
    torch.testing.assert_close(
        torch.stack([one["features"] for one in examples]), first, atol=1e-5, rtol=1e-5
    )
    assert not model(ids, mask, torch.tensor([0, 1])).loss.isnan()


@pytest.fixture(scope="module")
def lstm(base: Path) -> Built:
    return built(base, "lstm")


def test_the_lstm_reads_the_vectors_of_navec_exactly(lstm: Built) -> None:
    vectors = word_vectors()
    vocabulary = Tokenizer.from_buffer(lstm.tokenizer).get_vocab()
    assert len(vocabulary) > 240_000
    for word in ("платье", "наушники", "в"):
        parts = vectors.indexes[vectors.words.index(word)]
        expected = vectors.codes[np.arange(len(parts)), parts].reshape(-1)
        found = lstm.model.embedding(torch.tensor([[vocabulary[word]]]))[0, 0].numpy()
        assert np.array_equal(found, expected)
    assert not lstm.model.embedding(torch.tensor([[0]])).any()


@pytest.mark.parametrize(
    "text",
    [
        "Ещё ПЛАТЬЕ-ёлка, новое",
        "и\u0306од мои\u0306",
        "мягки\u0301й ма\u00adтериал",
        "х/б 100% snake_case café",
        "\u202eель №5",
    ],
)
def test_the_lstm_reads_words_as_the_similarity_stage_does(lstm: Built, text: str) -> None:
    ids, _ = Tokens(lstm.tokenizer, 64)([text])
    vectors = lstm.model.embedding(torch.tensor(ids))[0].numpy()
    known = [vector for number, vector in zip(ids[0], vectors, strict=True) if number > 2]
    encoder = NavecEncoder()
    assert known
    words = Tokenizer.from_buffer(lstm.tokenizer)
    spelled = [words.id_to_token(one).encode("cp1251") for one in ids[0] if one > 2]
    weights = [encoder._weights[encoder._numbers[word]] for word in spelled]
    mean = np.average(known, axis=0, weights=weights)
    np.testing.assert_allclose(mean / np.linalg.norm(mean), encoder.embed([text], "query")[0], atol=1e-5)


def test_a_text_cannot_write_the_tokens_that_have_a_meaning_of_their_own(lstm: Built) -> None:
    ids, _ = Tokens(lstm.tokenizer, 64)(["", "[PAD] [CLS]"])
    assert ids[0] == [2]
    assert len(ids[1]) == 3
    assert not {0, 2} & set(ids[1][1:])


# What is refused


def refused(folder: Path, architecture: str = "full", error: type[Exception] = TrainingError) -> str:
    with pytest.raises(error) as told:
        built(folder, architecture)
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.fixture
def folder(base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "tiny"))


def test_a_base_that_cannot_be_had_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    sentence = refused(Path("cointegrated/no-such-encoder"))
    assert sentence.startswith("base cointegrated/no-such-encoder: expected a config.json")
    assert (
        "where the hub cannot be reached, download the encoder elsewhere and give its folder as base"
        in sentence
    )


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    assert "put the missing files there" in refused(tmp_path)


@pytest.mark.parametrize("architecture", ENCODERS)
def test_weights_that_are_no_safetensors_are_refused(folder: Path, architecture: str) -> None:
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()
    assert "expected weights as .safetensors that transformers can load" in refused(folder, architecture)


def test_weights_that_are_missing_are_refused(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    del weights["embeddings.word_embeddings.weight"]
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    assert "expected all weights of an encoder, found 1 missing or of another shape" in refused(folder)


def test_code_that_a_base_brings_is_not_run(folder: Path) -> None:
    (folder / "modeling_evil.py").write_text("raise SystemExit")
    path = folder / "config.json"
    config = json.loads(path.read_text()) | {
        "model_type": "evil",
        "auto_map": {"AutoConfig": "modeling_evil.Evil"},
    }
    path.write_text(json.dumps(config))
    assert "expected a config.json that transformers can read" in refused(folder)


def test_a_tokenizer_with_more_tokens_than_the_base_has_vectors_is_refused(folder: Path) -> None:
    tiny_models.name_a_token_out_of_reach(folder)
    assert "found number 1,000,000" in refused(folder, error=ModelError)
