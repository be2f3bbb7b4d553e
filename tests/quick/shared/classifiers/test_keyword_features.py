"""What the linear model is told of a taxonomy's entries in a text, and which files of forms are refused."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest

from shared.classifiers import keyword_features, linear
from shared.classifiers.keyword_features import KeywordFeatures, forms_of
from shared.errors import ModelError
from shared.taxonomy import default_taxonomy
from shared.text.words import words_of
from tests.support import tiny_linear
from tests.support.tiny_linear import TEXTS

LABELS = default_taxonomy().slugs


@cache
def features() -> KeywordFeatures:
    return KeywordFeatures(forms_of(default_taxonomy()), len(LABELS))


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    features()
    tiny_linear.model()


def told(text: str) -> tuple[dict[str, list[float]], list[float]]:
    """What is told of each category of which anything is, and of the whole text; both without their scales."""
    row = features().of([text], words_of([text]))[0].astype(float)
    of_each = row[: -keyword_features.PER_TEXT].reshape(keyword_features.PER_CATEGORY, len(LABELS)).T
    each = {
        slug: (numbers / keyword_features.LOUDNESS).round(4).tolist()
        for slug, numbers in zip(LABELS, of_each, strict=True)
        if numbers.any()
    }
    return each, (row[-keyword_features.PER_TEXT :] / keyword_features.LENGTH).round(4).tolist()


def test_names_speak_for_their_categories_in_any_form_and_the_first_one_is_told_apart() -> None:
    each, _ = told("Платьем и ботинками")
    assert each["clothes"] == [0.97, 0.97, 0.97, round(float(np.log(2)), 4)]
    assert each["shoes"] == [0.97, 0.97, 0.0, round(float(np.log(2)), 4)]


def test_hints_are_no_names_and_the_none_categorys_words_are_told_as_loud_as_they_are() -> None:
    each, _ = told("накипь, доставка быстрая, спасибо")
    assert each["home_appliances"][:2] == [0.3, 0.0]
    loud, *others = each["no_product"]
    assert loud > 0.5
    assert others == [0, 0, 0]


def test_words_that_no_entry_has_are_counted_once_each() -> None:
    each, whole = told("фюжн фюжн платье")
    assert list(each) == ["clothes"]
    assert whole == pytest.approx([np.log(4), np.log(2), 1 / 3], abs=1e-4)
    assert told("")[1] == [0, 0, 0]


def test_what_is_told_of_a_text_does_not_depend_on_its_neighbours() -> None:
    texts = [*TEXTS, "", "фюжн", "\ud800 платье"]
    together = features().of(texts, words_of(texts))
    alone = np.concatenate([features().of([text], words_of([text])) for text in texts])
    np.testing.assert_array_equal(together, alone)
    assert features().of([], words_of([])).shape == (0, features().width)


def refused(keywords: Any) -> str:
    files = linear.files(tiny_linear.model()) | {linear.KEYWORDS: msgspec.json.encode(keywords)}
    with pytest.raises(ModelError) as error:
        linear.read(files, LABELS)
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"overrides": [[]]}, "expected forms for 9 categories, found others"),
        ({"said": [[[0, 9, 0, 0.9]]]}, "expected forms for 9 categories, found others"),
        ({"none": 9}, "expected forms for 9 categories, found others"),
        ({"products": {"платье": 1}}, "say one of 1 things, found another"),
        ({"products": {" ": 0}}, "with letters or digits, found an empty one"),
        ({"rest": {"很好": 0}}, "expected Russian or Latin letters and digits, found '很好'"),
        (
            {"said": [[[0, 1, 0, 1.0]]]},
            "expected the forms of a taxonomy's entries, found: Expected `float` < 1.0",
        ),
        ({"said": [[[0, 1, 3, 0.9]]]}, "found: Expected `int` <= 2"),
        ({"products": []}, "found: Expected `object`, got `array`"),
    ],
)
def test_forms_that_say_what_cannot_be_are_refused(change: dict[str, Any], sentence: str) -> None:
    good = {
        "said": [[[0, 1, 0, 0.9]]], "products": {"платье": 0}, "rest": {}, "none": 8, "overrides": [[]] * 9
    }  # fmt: skip
    assert sentence in refused(good | change)


def test_weights_without_the_rows_of_the_features_are_refused() -> None:
    files = linear.files(tiny_linear.model())
    del files[linear.KEYWORDS]
    with pytest.raises(ModelError, match="expected coefficients as float32 of shape"):
        linear.read(files, LABELS)
