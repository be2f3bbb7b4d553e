"""What every encoder promises. Each encoder's own tests inherit it and give a fixture `encoder`."""

from __future__ import annotations

import numpy as np
import pytest

from shared.encoders.encoder import Encoder, known
from tests.support.stage_contract import AWKWARD

ANY = (*AWKWARD, "а" * 1_000_000, "платье " * 150_000, "\ud83d", "\0" * 100, "¿?", "123 456")
"""Strings that must be survived; the long ones have one megabyte."""


class EncoderContract:
    """The promises, one a test."""

    def test_any_string_gets_a_row_of_length_one_or_zero(self, encoder: Encoder) -> None:
        rows = encoder.embed(ANY, "query")
        assert rows.shape[0] == len(ANY)
        assert rows.dtype == np.float32
        assert np.isfinite(rows).all()
        lengths = np.linalg.norm(rows, axis=1)
        assert np.all((lengths == 0) | (np.abs(lengths - 1) < 1e-5))

    def test_a_text_gets_the_same_row_alone_and_in_a_batch(self, encoder: Encoder) -> None:
        texts = (*AWKWARD, "Платье село хорошо, но рукава коротки.", "спор")
        together = encoder.embed(texts, "query")
        for text, row in zip(texts, together, strict=True):
            assert encoder.embed([text], "query")[0] == pytest.approx(row, abs=1e-5)

    def test_no_texts_give_no_rows(self, encoder: Encoder) -> None:
        assert encoder.embed([], "document").shape[0] == 0

    def test_texts_without_letters_or_digits_are_not_known(self, encoder: Encoder) -> None:
        assert known(encoder.embed(["", " \n", "!!! ...", "платье", "😀"], "query")) == [3]
