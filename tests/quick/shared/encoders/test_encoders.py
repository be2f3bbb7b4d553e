"""Encoders: navec's word vectors as they ship, and a tiny sentence-transformers model made here."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from shared.encoders.encoder import Encoder, known, unit
from shared.encoders.navec import MOST_WORDS, SMOOTHING, NavecEncoder
from shared.errors import ConfigurationError
from shared.taxonomy import default_taxonomy
from tests.support.stage_contract import AWKWARD
from tests.support.tiny_sentence_model import save_tiny_model

ANY = (*AWKWARD, "а" * 1_000_000, "платье " * 150_000, "\ud83d", "\0" * 100, "¿?", "123 456")
"""Strings that must be survived; the long ones have one megabyte."""


@pytest.fixture(scope="module")
def navec() -> NavecEncoder:
    return NavecEncoder()


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    pytest.importorskip("torch", reason="needs torch: pip install 'otzyv[gpu]'")
    texts = [text for category in default_taxonomy().categories for text in category.examples]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield save_tiny_model(tmp_path_factory.mktemp("tiny"), texts)


@pytest.fixture(params=["navec", "sentence"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    if request.param == "navec":
        return request.getfixturevalue("navec")
    return sentence_encoder(request.getfixturevalue("tiny_model"))


def sentence_encoder(model, **options):
    from shared.encoders.sentence import SentenceEncoder

    return SentenceEncoder(str(model), device="cpu", **options)


def test_any_string_gets_a_row_of_length_one_or_zero(encoder: Encoder) -> None:
    rows = encoder.embed(ANY, "query")
    assert rows.shape[0] == len(ANY)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    lengths = np.linalg.norm(rows, axis=1)
    assert np.all((lengths == 0) | (np.abs(lengths - 1) < 1e-5))


def test_a_text_gets_the_same_row_alone_and_in_a_batch(encoder: Encoder) -> None:
    texts = (*AWKWARD, "Платье село хорошо, но рукава коротки.", "спор")
    together = encoder.embed(texts, "query")
    for text, row in zip(texts, together, strict=True):
        assert encoder.embed([text], "query")[0] == pytest.approx(row, abs=1e-5)


def test_no_texts_give_no_rows(encoder: Encoder) -> None:
    assert encoder.embed([], "document").shape[0] == 0


def test_texts_without_letters_or_digits_are_not_known(encoder: Encoder) -> None:
    assert known(encoder.embed(["", " \n", "!!! ...", "платье", "😀"], "query")) == [3]


def test_a_row_of_zeros_stays_as_it_is() -> None:
    rows = unit(np.array([[3, 4], [0, 0]], np.float32))
    assert rows.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]


def test_words_have_the_vectors_that_navec_gives_them(navec: NavecEncoder) -> None:
    theirs = pytest.importorskip("navec").Navec.load(_wheel_file())
    words = ["платье", "чайник", "ремень", "ёлка"]
    for word, row in zip(words, navec.embed(words, "query"), strict=True):
        # As on a page: of the spellings with е and with ё the more frequent one counts.
        vector = theirs[word.replace("ё", "е")]
        assert row == pytest.approx(vector / np.linalg.norm(vector), abs=1e-6)


def test_a_text_is_the_weighted_sum_of_its_words(navec: NavecEncoder) -> None:
    theirs = pytest.importorskip("navec").Navec.load(_wheel_file())
    total = sum(theirs.vocab.counts)
    text = "и платье, и ремень не пришли"
    expected = sum(
        SMOOTHING / (SMOOTHING + theirs.vocab.count(word) / total) * theirs[word]
        for word in ("и", "платье", "и", "ремень", "не", "пришли")
    )
    found = navec.embed([text], "document")[0]
    assert found == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_unknown_words_and_signs_change_nothing(navec: NavecEncoder) -> None:
    plain, noisy = navec.embed(["красивое платье", "Красивое!!! ыыъпкх ПЛАТЬЕ 😀"], "query")
    assert noisy.tolist() == plain.tolist()


def test_a_text_of_unknown_words_only_has_a_row_of_zeros(navec: NavecEncoder) -> None:
    assert not navec.embed(["ыыъпкх щщщъ"], "query").any()


def test_words_after_the_first_thousand_are_not_read(navec: NavecEncoder) -> None:
    whole, cut = navec.embed(["платье " * MOST_WORDS + "чайник " * 500, "платье"], "query")
    assert whole == pytest.approx(cut, abs=1e-5)


def test_nothing_of_torch_or_natasha_is_imported_for_word_vectors() -> None:
    code = (
        "import sys; from shared.encoders import sentence; from shared.stages.similarity import SimilarityStage;"
        "from shared.encoders.navec import NavecEncoder; NavecEncoder().embed(['платье'], 'query');"
        "print(sorted({'torch', 'sentence_transformers', 'natasha', 'pymorphy2'} & sys.modules.keys()))"
    )
    root = Path(__file__).resolve().parents[4]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_missing_file_of_word_vectors_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"expected navec word vectors .* in .*none\.tar, found: FileNot"
    ):
        NavecEncoder(tmp_path / "none.tar")


def test_a_package_without_its_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "natasha").mkdir()
    (tmp_path / "natasha" / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        ConfigurationError, match=r"found the package without data.*Install it with 'pip install nat"
    ):
        NavecEncoder()


GOOD_VOCABULARY = np.array([2, 5, 3], "<u4").tobytes() + "платье\nремень".encode()
GOOD_CODES = (
    np.array([2, 4, 2, 3], "<u4").tobytes() + bytes([0, 1, 2, 0]) + np.arange(12, dtype="<f4").tobytes()
)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"meta.json": b'{"id": "x", "protocol": 2}'}, "protocol 2"),
        ({"meta.json": b"{"}, "JSONDecodeError"),
        ({"meta.json": None}, "KeyError"),
        ({"vocab.bin": b"no gzip"}, "BadGzipFile"),
        ({"vocab.bin": GOOD_VOCABULARY + "\nлишнее".encode()}, "3 words with 2 counts"),
        ({"vocab.bin": b""}, "ValueError"),
        ({"pq.bin": GOOD_CODES[:20]}, "ValueError"),
        ({"pq.bin": GOOD_CODES[:-4]}, "ValueError"),
        ({"pq.bin": np.array([2, 4, 2, 300], "<u4").tobytes()}, "300 centroids"),
        ({"pq.bin": np.array([2, 6, 2, 3], "<u4").tobytes() + GOOD_CODES[16:]}, "4 dimensions instead of 6"),
    ],
)
def test_a_damaged_file_of_word_vectors_is_refused(tmp_path: Path, change: dict, found: str) -> None:
    path = write_navec(tmp_path / "bad.tar", change)
    with pytest.raises(ConfigurationError, match=found) as caught:
        NavecEncoder(path)
    assert "Install natasha again" in str(caught.value)


def test_words_of_another_file_of_vectors_work(tmp_path: Path) -> None:
    encoder = NavecEncoder(write_navec(tmp_path / "small.tar", {}))
    assert encoder.model == "navec/small"
    # Parts 0 and 1 of платье take codes 0 and 1: (0, 1) and (8, 9).
    expected = np.array([0, 1, 8, 9]) / np.linalg.norm([0, 1, 8, 9])
    assert encoder.embed(["Платья нет, платье"], "query")[0] == pytest.approx(expected, abs=1e-6)


def write_navec(path: Path, change: dict) -> Path:
    """A file in navec's format with two words, some members changed or (None) left out."""
    import gzip

    members = {"meta.json": json.dumps({"id": "small", "protocol": 1}).encode()}
    members |= {"vocab.bin": GOOD_VOCABULARY, "pq.bin": GOOD_CODES, **change}
    if members["vocab.bin"] != b"no gzip":
        members["vocab.bin"] = gzip.compress(members["vocab.bin"])
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            if content is not None:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def _wheel_file() -> str:
    from shared.encoders.navec import _installed

    return str(_installed())


def test_a_prefix_stands_before_every_text(tiny_model: Path) -> None:
    plain = sentence_encoder(tiny_model)
    prefixed = sentence_encoder(tiny_model, query_prefix="чайник: ", document_prefix="туфли: ")
    texts = ["Платье село", "спасибо"]
    for role, prefix in (("query", "чайник: "), ("document", "туфли: ")):
        expected = plain.embed([prefix + text for text in texts], role)
        assert prefixed.embed(texts, role) == pytest.approx(expected, abs=1e-5)
        assert prefixed.embed(texts, role) != pytest.approx(plain.embed(texts, role), abs=1e-3)


def test_known_families_of_models_get_their_prefixes() -> None:
    from shared.encoders.sentence import DEFAULT_MODEL, prefixes_of

    assert prefixes_of(DEFAULT_MODEL) == ("classification: ", "classification: ")
    assert prefixes_of("intfloat/multilingual-e5-small") == ("query: ", "passage: ")
    assert prefixes_of("cointegrated/rubert-tiny2") == ("", "")


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
    import shutil

    import torch
    from safetensors.torch import load_file

    copy = tmp_path / "pickled"
    shutil.copytree(tiny_model, copy)
    weights = next(copy.rglob("model.safetensors"))
    torch.save(load_file(weights), weights.with_name("pytorch_model.bin"))
    weights.unlink()
    with pytest.raises(ConfigurationError, match="safetensors"):
        sentence_encoder(copy, local_files_only=True)


def test_without_sentence_transformers_it_is_told_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sentence_transformers.py").write_text("raise ImportError('No module named torch')")
    root = Path(__file__).resolve().parents[4]
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(root)!r}];"
        "from shared.encoders.sentence import SentenceEncoder; SentenceEncoder()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.splitlines()[-1] == (
        "shared.errors.ConfigurationError: expected the package sentence-transformers for the encoder "
        "'deepvk/USER2-small', found: No module named torch. Install it (pip install 'otzyv[gpu]'), "
        "or use the encoder 'navec'."
    )
