"""Encoders: what holds for all, and navec's word vectors as they ship."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from shared.encoders.encoder import Encoder, unit
from shared.encoders.navec import MOST_WORDS, SMOOTHING, NavecEncoder
from shared.errors import ConfigurationError
from tests.support.encoder_contract import EncoderContract


class TestWordVectors(EncoderContract):
    """The contract, by navec."""

    @pytest.fixture
    def encoder(self, navec: NavecEncoder) -> Encoder:
        return navec


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


def test_known_families_of_models_get_their_prefixes() -> None:
    from shared.encoders.sentence import DEFAULT_MODEL, prefixes_of

    assert prefixes_of(DEFAULT_MODEL) == ("classification: ", "classification: ")
    assert prefixes_of("intfloat/multilingual-e5-small") == ("query: ", "passage: ")
    assert prefixes_of("cointegrated/rubert-tiny2") == ("", "")
