"""The linear model trained on more than a moment's rows: the same each time, calibrated, as good as promised."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from shared.classifiers import linear
from shared.quality.evaluation import score
from shared.reviews.labelled_text import Row
from shared.taxonomy import default_taxonomy
from shared.training.arguments import arguments
from shared.training.data import prepared
from shared.training.linear import train_linear
from tests.support import tiny_linear
from tests.support.processes import printed
from tests.support.row_files import read_rows
from tests.support.tiny_linear import TEXTS

LABELS = default_taxonomy().slugs


def test_the_same_rows_make_the_same_model_and_the_seed_changes_only_what_is_drawn() -> None:
    data = tiny_linear.data()
    one, again = (
        linear.files(train_linear(arguments(architecture="linear", seed=3), data)) for _ in range(2)
    )
    assert one == again
    other = train_linear(arguments(architecture="linear", seed=4), data)
    np.testing.assert_allclose(
        other.predict(TEXTS).probabilities, tiny_linear.model().predict(TEXTS).probabilities, atol=0.01
    )


def test_confidences_are_calibrated_on_what_reviews_get_out_of_fold() -> None:
    data = tiny_linear.data()
    sure = train_linear(
        arguments(architecture="linear"), msgspec.structs.replace(data, validation=data.train[::9])
    )
    assert sure.temperature < 1.0
    wrong = tuple(
        msgspec.structs.replace(row, category=data.labels[number % 9])
        for number, row in enumerate(data.train[::9])
    )
    unsure = train_linear(arguments(architecture="linear"), msgspec.structs.replace(data, validation=wrong))
    assert unsure.temperature > 10 * sure.temperature
    assert unsure.predict(TEXTS).probabilities.max() < sure.predict(TEXTS).probabilities.max()


def test_it_reaches_weighted_f1_091_and_macro_085_on_gold(shared_data: Path) -> None:
    def read(name: str) -> list[dict[str, str]]:
        return read_rows(shared_data / name)

    taxonomy = default_taxonomy()
    texts = {row["id"]: row["text"] for row in read("reviews.csv")}
    gold = {row["id"]: taxonomy.category(row["category"]).slug for row in read("gold.csv")}
    rows = [
        Row(texts[row["id"]], taxonomy.category(row["category"]).slug, number)
        for number, row in enumerate(read("llm_labels.csv"), 1)
        if row["id"] not in gold
    ]
    chosen = arguments(architecture="linear")
    checked = [texts[number] for number in gold]
    made = train_linear(chosen, prepared(rows, checked, taxonomy, chosen))
    shares = made.predict(checked).probabilities
    found = score(list(gold.values()), [LABELS[column] for column in shares.argmax(axis=1)])
    assert found.weighted_f1 >= 0.91
    assert found.macro_f1 >= 0.85
    assert shares.max(axis=1).mean() == pytest.approx(found.accuracy, abs=0.03), "calibrated"


def test_serving_it_needs_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys, numpy as np; from shared.classifiers.linear import LinearClassifier, Weights; "
        "from shared.classifiers.vocabulary import Vocabulary; "
        "v = Vocabulary(['платье'], [], ['пла']); "
        "w = Weights(*(np.ones(s, np.float32) for s in ((2,), (302, 2), (2,)))); "
        "LinearClassifier(v, w, ('a', 'b')).predict(['Платье']); "
        "print(sorted({'torch', 'transformers', 'sklearn', 'pandas', 'imblearn'} & sys.modules.keys()))"
    )
    assert printed(code) == "[]"
