"""The linear model: what it counts, how it is trained, saved, read again, and which files are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import msgspec
import numpy as np
import pytest
import safetensors.numpy

from shared.classifiers import Artefact, LinearClassifier, Location, linear
from shared.classifiers.linear import encoder, meant
from shared.classifiers.packaging.package import package, servable, written
from shared.classifiers.vocabulary import LONGEST, SIZES, Vocabulary, learnt, pieces_of
from shared.errors import ModelError
from shared.reviews.labelled_text import Row
from shared.taxonomy import default_taxonomy
from shared.text.words import words_of
from shared.training.arguments import arguments
from shared.training.data import Data, facts
from shared.training.linear import train_linear
from shared.training.watch import Interrupted
from tests.support import tiny_linear
from tests.support.tiny_linear import TEXTS

LABELS = default_taxonomy().slugs


@pytest.fixture(scope="module")
def model() -> LinearClassifier:
    return tiny_linear.model()


# What is counted


def counts(vocabulary: Vocabulary, texts: list[str]) -> Any:
    """Words, pairs and pieces, [texts, columns]."""
    found = [np.hstack([some.words.toarray(), some.pieces.toarray()]) for some in vocabulary.counts(texts)]
    return np.vstack(found)


def test_words_pairs_and_pieces_are_counted_as_scikit_learn_counts_them() -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    texts = ["белое платье, белое платье", "платье белое", "ткань плотная", "плотная белая ткань"]
    plain = [text.replace(",", "") for text in texts]
    vocabulary = learnt(texts)
    found = counts(vocabulary, texts)
    words = CountVectorizer(ngram_range=(1, 2), min_df=2).fit(plain)
    assert sorted([*vocabulary.words, *vocabulary.pairs]) == list(words.get_feature_names_out())
    names = [*vocabulary.words, *vocabulary.pairs, *vocabulary.pieces]
    for column, name in enumerate(words.get_feature_names_out()):
        assert found[:, names.index(name)].tolist() == words.transform(plain).toarray()[:, column].tolist()
    pieces = CountVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2).fit(plain)
    assert list(vocabulary.pieces) == list(pieces.get_feature_names_out())
    expected = pieces.transform(plain).toarray()
    assert found[:, len(vocabulary) - len(vocabulary.pieces) :].tolist() == expected.tolist()


def test_what_is_learnt_does_not_depend_on_the_order_of_texts() -> None:
    texts = [f"{text} {number % 3}" for number, text in enumerate(TEXTS * 3)]
    one, other = learnt(texts), learnt(texts[::-1])
    assert (one.words, one.pairs, one.pieces) == (other.words, other.pairs, other.pieces)


def test_of_many_words_the_most_frequent_are_learnt_and_overlong_ones_never(monkeypatch) -> None:
    monkeypatch.setattr("shared.classifiers.vocabulary.MOST", 2)
    texts = ["а б в", "а б в", "а б", "а", f"{'ы' * 500} я", f"{'ы' * 500} я"]
    found = learnt(texts)
    assert found.words == ("а", "б")
    assert found.pairs == ("а б",)
    assert max(map(len, found.words)) < LONGEST


def test_texts_that_share_nothing_make_an_empty_vocabulary_and_still_a_model() -> None:
    rows = [Row(text, ("shoes", "kids")[n % 2], n) for n, text in enumerate(["раз", "вдох", "2", "фьюжн"], 1)]
    made = train_linear(arguments(architecture="linear"), Data(("shoes", "kids"), tuple(rows), ()))
    assert len(made.vocabulary.words) == 0
    np.testing.assert_allclose(made.predict(["что угодно", ""]).probabilities.sum(axis=1), 1, atol=1e-5)


class StopsAfter:
    """A watch that wants an end once so much is done."""

    def __init__(self, share: float) -> None:
        self.after, self.told = share, 0.0

    def log(self, _step: int, _epoch: float, _values: Mapping[str, float]) -> None:
        raise AssertionError

    def progress(self, share: float) -> None:
        self.told = share

    def stop(self) -> bool:
        return self.told >= self.after


def test_training_that_is_to_stop_stops_between_two_models_and_says_that_it_begins_anew() -> None:
    rows = [Row(text, ("shoes", "kids")[n % 2], n) for n, text in enumerate(TEXTS[:20], 1)]
    watch = StopsAfter(0.3)
    with pytest.raises(Interrupted) as stopped:
        train_linear(arguments(architecture="linear"), Data(("shoes", "kids"), tuple(rows), ()), watch)
    assert stopped.value.anew
    assert watch.told == pytest.approx(2 / 6), "of one model on all, and five on the others"


# The contract of classifiers


def test_answers_do_not_depend_on_order_or_neighbours(model: LinearClassifier) -> None:
    texts = [
        *TEXTS,
        "а",
        " ".join(TEXTS * 30),
        *(f"{text} {number}" for text in TEXTS for number in range(50)),
    ]
    together = model.predict(texts).probabilities
    np.testing.assert_allclose(model.predict(texts[::-1]).probabilities[::-1], together, atol=2e-6)
    for place in (0, 3, 9, 100):
        np.testing.assert_allclose(model.predict([texts[place]]).probabilities[0], together[place], atol=2e-6)
    np.testing.assert_allclose(together.sum(axis=1), 1.0, atol=1e-5)


def test_equal_texts_get_equal_answers_and_no_texts_none(model: LinearClassifier) -> None:
    shares = model.predict([TEXTS[0], TEXTS[1], TEXTS[0]]).probabilities
    assert (shares[0] == shares[2]).all()
    none = model.predict([])
    assert none.probabilities.shape == (0, len(LABELS))
    assert none.truncated.shape == (0,)


def test_any_text_gets_an_answer_and_none_is_truncated(model: LinearClassifier) -> None:
    odd = ["", " ", "...", "👗" * 500, "\x00", "\u202e", "а" * 20_000, "𝕏\n\t\r", "很好", "\ud800"]
    found = model.predict(odd)
    assert np.isfinite(found.probabilities).all()
    assert not found.truncated.any()


@pytest.mark.parametrize(
    "text",
    ["слово " * 17_000, "ы" * 100_000, " ".join(map(str, range(18_000)))],
    ids=["same", "one", "different"],
)
def test_a_text_of_a_hundred_thousand_characters_is_answered(model: LinearClassifier, text: str) -> None:
    assert np.isfinite(model.predict([text]).probabilities).all()


def test_the_model_knows_what_the_taxonomy_says(model: LinearClassifier) -> None:
    found = model.predict(["кроссовки", "платье", "чайник", "кукла"]).probabilities.argmax(axis=1)
    assert [LABELS[column] for column in found] == ["shoes", "clothes", "home_appliances", "kids"]


# Training


@pytest.fixture(scope="module", params=["weights", "roots", "oversample", "none"])
def balance(request: pytest.FixtureRequest) -> str:
    """Each way of balancing, with its library imported: that takes longer than a training."""
    if request.param == "oversample":
        pytest.importorskip(
            "imblearn.over_sampling", reason="imbalanced-learn is not installed: `make models`"
        )
    return str(request.param)


def test_a_category_without_rows_is_never_predicted(balance: str) -> None:
    data = tiny_linear.data()
    absent = ("shoes", "kids")
    some = tuple(row for row in data.train if row.category not in absent)[::5]
    validation = tuple(Row(text, "clothes", n) for n, text in enumerate(TEXTS))
    found = train_linear(
        arguments(architecture="linear", balance=balance), Data(data.labels, some, validation)
    )
    shares = found.predict([*TEXTS, "кроссовки", ""]).probabilities
    assert shares[:, [data.labels.index(slug) for slug in absent]].max() == 0
    assert np.isfinite(shares).all()


def test_with_two_categories_the_answers_are_of_the_right_one() -> None:
    data = tiny_linear.data()
    some = tuple(row for row in data.train if row.category in ("shoes", "textile"))
    made = train_linear(arguments(architecture="linear"), Data(data.labels, some, ()))
    found = made.predict(["кроссовки", "простыня"]).probabilities.argmax(axis=1)
    assert [data.labels[column] for column in found] == ["shoes", "textile"]
    assert made.temperature == 1.0, "nothing to calibrate on"


# As an artefact


def packaged(model: LinearClassifier, location: Location | None = None) -> Artefact:
    return written(
        servable(model, default_taxonomy(), TEXTS),
        location or Location(f"memory://{uuid4().hex}"),
        metrics={"weighted_f1": 0.5, "labels": 9.0},
        dataset=facts(tiny_linear.data()),
    )


@pytest.fixture(scope="module")
def calibrated() -> LinearClassifier:
    data = tiny_linear.data()
    few = msgspec.structs.replace(data, train=data.train[::9], validation=data.train[::18])
    return train_linear(arguments(architecture="linear"), few)


def test_what_is_read_again_answers_the_same(calibrated: LinearClassifier) -> None:
    made, artefact = calibrated, packaged(calibrated)
    says = artefact.manifest
    assert (says.format, artefact.served) == (2, (*linear.FILES, linear.KEYWORDS))
    assert (says.runtime, says.architecture, says.max_tokens, says.export) == ("linear", "linear", 0, None)
    assert says.metrics == {"weighted_f1": 0.5, "labels": 9.0}
    assert says.dataset["taxonomy_texts"]["shoes"] > 100
    assert says.temperature == made.temperature != 1.0
    assert says.reference is not None
    assert says.reference.texts == len(TEXTS)
    assert set(says.files) == {*artefact.served, "README.md"}
    again = artefact.classifier()
    assert again.labels == LABELS
    assert (again.predict(TEXTS).probabilities == made.predict(TEXTS).probabilities).all()


def test_a_model_without_keyword_features_is_one_of_format_1_and_answers_as_it_did() -> None:
    data = tiny_linear.data()
    plain = arguments(architecture="linear", keyword_features=False)
    made = train_linear(plain, msgspec.structs.replace(data, train=data.train[::9]))
    artefact = packaged(made)
    assert (artefact.manifest.format, artefact.served) == (1, linear.FILES)
    assert made.keywords is None
    assert (artefact.classifier().predict(TEXTS).probabilities == made.predict(TEXTS).probabilities).all()


def test_its_card_says_how_it_serves_and_what_it_was_trained_on(model: LinearClassifier) -> None:
    card = packaged(model).read("README.md").decode()
    assert "Reads whole texts, however long" in card
    assert "Serves as a linear model of words, pieces of words and word vectors, without a graph" in card
    assert "taxonomy_texts: {'home_appliances': " in card
    assert "torch" not in card


def test_without_texts_to_compare_with_nothing_is_packaged(model: LinearClassifier) -> None:
    with pytest.raises(ModelError, match="expected reviews to compare on, found none"):
        package(model, default_taxonomy(), [], Location("memory://none"))


# Files that are no model


def contents(
    names: Callable[[dict[str, Any]], Any] | None = None,
    numbers: Callable[[dict[str, Any]], Any] | None = None,
) -> dict[str, bytes]:
    """The files of a small model, after something was done to them."""
    vocabulary = {
        "encoder": linear.encoder().model,
        "words": ["платье", "село"],
        "pairs": ["платье село"],
        "pieces": [" пла", "ье "],
    }
    weights: dict[str, Any] = {
        "idf": np.ones(5, np.float32),
        "coefficients": np.ones((305, 2), np.float32),
        "intercepts": np.zeros(2, np.float32),
    }
    if names is not None:
        names(vocabulary)
    if numbers is not None:
        numbers(weights)
    return {
        linear.VOCABULARY: msgspec.json.encode(vocabulary),
        linear.LINEAR: safetensors.numpy.save(weights),
    }


def refused(files: dict[str, bytes]) -> str:
    with pytest.raises(ModelError) as error:
        linear.read(files, ("shoes", "kids"))
    return str(error.value)


def test_a_small_model_is_read() -> None:
    assert linear.read(contents(), ("shoes", "kids")).predict(["Платье село"]).probabilities.shape == (1, 2)


def put(name: str, place: Any, value: float) -> Callable[[dict[str, Any]], None]:
    """A number in the weights."""

    def change(weights: dict[str, Any]) -> None:
        weights[name][place] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (put("coefficients", (3, 1), np.nan), "up to 1,000,000 in coefficients, found NaN, infinity"),
        (
            put("coefficients", (3, 1), 1e30),
            "up to 1,000,000 in coefficients, found NaN, infinity or a larger",
        ),
        (put("intercepts", 0, -np.inf), "in intercepts, found NaN, infinity or a larger one"),
        (put("idf", 0, np.nan), "in idf, found NaN"),
        (put("idf", 0, -1), "expected idf from 1 to 100, found -1"),
        (
            lambda w: w.update(idf=np.ones(4, np.float32)),
            "idf as float32 of shape (5,), found float32 of (4,)",
        ),
        (
            lambda w: w.update(coefficients=np.ones((2, 305), np.float32)),
            "of shape (305, 2), found float32 of (2",
        ),
        (lambda w: w.update(intercepts=np.ones(2)), "intercepts as float32 of shape (2,), found float64"),
        (lambda w: w.pop("idf"), "expected idf, coefficients, intercepts, found coefficients, intercepts"),
        (lambda w: w.update(more=np.ones(1)), "found coefficients, idf, intercepts, more"),
        (lambda w: w.update(more=np.ones(10**6)), "expected at most 7,768 bytes, found"),
    ],
)
def test_weights_that_are_no_numbers_or_of_another_shape_are_refused(
    change: Callable[[dict[str, Any]], Any], sentence: str
) -> None:
    assert sentence in refused(contents(numbers=change))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"words": ["платье", "платье"], "pairs": []}, "words: expected each once, found one of them twice"),
        ({"pieces": ["ье ", "ье "]}, "pieces: expected each once, found one of them twice"),
        ({"pairs": ["платье село", "платье село"]}, "pairs: expected each once"),
        ({"pairs": ["платье жмёт"]}, "pairs: expected two of the words, found 'платье жмёт'"),
        ({"pairs": ["платье"]}, "pairs: expected two of the words, found 'платье'"),
        (
            {"words": ["很好", "село"], "pairs": []},
            "words: expected Russian or Latin letters and digits, found",
        ),
        ({"words": "платье"}, "expected lists of different words, pairs and pieces, found: Expected `array`"),
        ({"words": [1, 2]}, "found: Expected `str`, got `int`"),
        ({"pieces": None}, "found: Expected `array`, got `null`"),
        ({"words": [str(n) for n in range(60_001)], "pairs": []}, "Expected `array` of length <= 60000"),
        (
            {"encoder": "navec/other"},
            "expected a model for the word vectors navec/news_v1_1B_250K_300d_100q, found",
        ),
    ],
)
def test_vocabularies_that_are_no_lists_of_different_strings_are_refused(
    change: dict[str, Any], sentence: str
) -> None:
    assert sentence in refused(contents(names=lambda vocabulary: vocabulary.update(change)))


def test_truncated_and_enormous_files_are_refused() -> None:
    good = contents()
    assert "found: " in refused(good | {linear.LINEAR: good[linear.LINEAR][:-4]})
    assert "found: " in refused(good | {linear.LINEAR: b""})
    assert "found: " in refused(good | {linear.VOCABULARY: good[linear.VOCABULARY][:-4]})
    assert "found: " in refused(good | {linear.VOCABULARY: b"[" * 100_000})
    large = b" " * (linear.MOST_BYTES + 1)
    assert "expected at most 67,108,864 bytes, found 67,108,865" in refused(good | {linear.VOCABULARY: large})


def test_a_model_for_other_labels_than_its_weights_is_refused() -> None:
    with pytest.raises(ModelError, match=r"of shape \(305, 3\), found float32 of \(305, 2\)"):
        linear.read(contents(), ("shoes", "kids", "clothes"))


def test_words_that_are_found_once_give_the_word_vectors_that_the_encoder_gives() -> None:
    texts = ["Платье село отлично, платье хорошее", "", "лампа " * 900 + "ковёр " * 900, "ъъъ"]
    assert np.abs(meant(words_of(texts), encoder()) - encoder().embed(texts, "query")).max() < 1e-6


def test_pieces_are_those_of_a_window_that_slides_over_each_word() -> None:
    words = [b"ab", b"c", b"x" * (LONGEST + 9)]
    keys, ends = pieces_of(words)
    for at, word in enumerate(words):
        padded = b" " + word[:LONGEST] + b" "
        slid = [padded[i : i + n] for i in range(len(padded)) for n in SIZES if i + n <= len(padded)]
        assert keys[ends[at] : ends[at + 1]].tolist() == [int.from_bytes(piece, "big") for piece in slid]
