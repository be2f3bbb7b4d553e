"""The pair of a linear model and an LSTM: trained on the same rows, served as one, and what the LSTM knows of words."""

from __future__ import annotations

import math
from pathlib import Path
from uuid import uuid4

import msgspec
import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: `make models`")

import torch
from tokenizers import Tokenizer

from shared.classifiers import Location, softmax
from shared.classifiers import manifest as manifests
from shared.classifiers.packaging.package import Pair, package, servable
from shared.classifiers.pair import PairClassifier
from shared.errors import ModelError
from shared.reviews.labelled_text import Row
from shared.taxonomy import Taxonomy, default_taxonomy
from shared.training.architectures import Built, network, with_defaults
from shared.training.data import Data
from shared.training.pair import EVERY, thinned, train_pair
from tests.support import tiny_training
from tests.support.tiny_training import LABELS, Eyes, chosen

TEXTS = ["Платье село отлично", "Телефон приехал разбитым", "", "чайник", "Планшет " * 40]
TAXONOMY = Taxonomy.parse(
    """
name: two
categories:
  - slug: clothes
    title: одежда
    keywords: [{word: платье, weight: 0.8}, {word: худи, weight: 0.6}]
  - slug: electronics
    title: электроника
    keywords: [{word: телефон, weight: 0.7}]
    hints: [{phrase: экран, weight: 0.4}]
"""
)


def data() -> Data:
    return msgspec.structs.replace(tiny_training.data(), taxonomy=TAXONOMY)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return train_pair(chosen(Path(), "pair"), data(), tmp_path_factory.mktemp("pair"), Eyes())


def test_it_says_the_mean_of_what_its_members_say(pair: Pair) -> None:
    made = servable(pair, TAXONOMY, TEXTS).classifier
    assert isinstance(made, PairClassifier)
    one, other = (
        np.log(member.predict(TEXTS).probabilities.astype(float)) for member in (made.linear, made.network)
    )
    expected = softmax((one + other) / 2, made.temperature)
    found = made.predict(TEXTS)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    assert found.truncated.tolist() == [False, False, False, False, True]
    assert [LABELS[column] for column in found.probabilities.argmax(axis=1)[:2]] == ["clothes", "electronics"]


def test_its_artefact_answers_the_same_and_says_what_it_is(pair: Pair) -> None:
    location = Location(f"memory://{uuid4().hex}")
    artefact = package(pair, TAXONOMY, TEXTS, location)
    says = artefact.manifest
    assert (says.format, says.architecture, says.runtime) == (2, "pair", "pair")
    assert says.temperatures == (pair.linear.temperature, pair.network.temperature)
    assert says.temperature == pair.temperature
    assert set(artefact.served) < set(says.files)
    assert {"keywords.json", "linear.safetensors", "tokenizer.json"} < set(artefact.served)
    again = artefact.classifier().predict(TEXTS).probabilities
    expected = servable(pair, TAXONOMY, TEXTS).classifier.predict(TEXTS).probabilities
    np.testing.assert_array_equal(again, expected)
    assert "as the mean of a linear model and a network" in artefact.read("README.md").decode()


def test_a_manifest_with_temperatures_of_no_pair_is_refused(pair: Pair) -> None:
    ready = servable(pair, TAXONOMY, TEXTS)
    for change in ({"temperatures": ()}, {"temperatures": (1.0, 0.0)}, {"runtime": "onnx"}):
        wrong = msgspec.structs.replace(ready.manifest, **change)
        with pytest.raises(ModelError, match="temperature"):
            manifests.decode(manifests.encode(wrong), "here")


def test_members_with_other_labels_are_no_pair(pair: Pair) -> None:
    made = servable(pair, TAXONOMY, TEXTS).classifier
    assert isinstance(made, PairClassifier)
    made.network.labels = LABELS[::-1]
    with pytest.raises(ModelError, match="expected members with the same labels"):
        PairClassifier(made.linear, made.network)


def test_the_network_learns_few_texts_of_the_taxonomy_unless_no_review_tells_of_their_category() -> None:
    rows = [Row(f"слово {number}", slug) for slug in LABELS for number in range(40)]
    few = thinned(Data(LABELS, (*rows, Row("Платье", "clothes", 1)), ()))
    kept = [row.category for row in few.train if not row.review_id]
    assert kept.count("clothes") == math.ceil(40 / EVERY)
    assert kept.count("electronics") == 40
    assert few.train[-1].text == "Платье"


# What the LSTM knows of words


def built(taxonomy: Taxonomy | None, **values: object) -> Built:
    filled = with_defaults(chosen(Path(), "lstm", **values))
    return network("lstm").build_for(filled, msgspec.structs.replace(data(), taxonomy=taxonomy))


def test_the_lstm_reads_what_the_taxonomy_says_of_a_word_in_any_form() -> None:
    made = built(TAXONOMY)
    vocabulary = Tokenizer.from_buffer(made.tokenizer).get_vocab()

    def told(word: str) -> list[float]:
        numbers: list[float] = made.model.spoken(torch.tensor([[vocabulary[word]]]))[0, 0].tolist()
        return [round(number, 3) for number in numbers]

    assert told("платьями") == [0.8, 0, 0, 0]
    assert told("экрана") == [0, 0, 0, 0.4]
    assert told("хороший") == told("[UNK]") == [0, 0, 0, 0]


def test_words_of_the_taxonomy_that_have_no_vector_are_words_all_the_same() -> None:
    made = built(Taxonomy.parse(
        "name: t\ncategories:\n  - {slug: clothes, title: о, keywords: [абырвалгушка]}\n"
        "  - {slug: electronics, title: э, keywords: [телефон]}\n"
    ))  # fmt: skip
    number = Tokenizer.from_buffer(made.tokenizer).get_vocab()["абырвалгушка"]
    assert not made.model.embedding(torch.tensor([[number]])).any()
    assert made.model.spoken(torch.tensor([[number]])).max() == pytest.approx(0.9)


def test_without_a_taxonomy_or_by_wish_it_reads_vectors_alone() -> None:
    assert built(None).model.spoken is None
    assert built(default_taxonomy(), keyword_features=False).model.spoken is None
