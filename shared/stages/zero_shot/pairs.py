"""Pairs of a text and a hypothesis as token ids: each text and each hypothesis is tokenised once, not each pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from shared.compute.arrays import Int64s
from shared.errors import ConfigurationError

CHARS_PER_TOKEN: Final = 64
"""Characters read of a text per token kept. No vocabulary has pieces this long: only endless blanks or letters
without a space notice, and a text of a megabyte costs no more than a long one."""


class Frame(NamedTuple):
    """What stands around the text in a pair with one hypothesis, before and after it: ids and token types, [2, n]."""

    head: Int64s
    tail: Int64s

    @property
    def size(self) -> int:
        """Tokens that are not the text's."""
        return int(self.head.shape[1] + self.tail.shape[1])


class Pairs:
    """Builds the inputs of a network for pairs (text, hypothesis), numbered text by text.

    Pair number `i * k + j` is text i with hypothesis j out of k. Texts are cut so that a pair has at most
    `limit` tokens ("only_first": a hypothesis is never cut). Raises ConfigurationError where a hypothesis leaves no
    room for any text.
    """

    def __init__(self, tokenizer: Any, hypotheses: Sequence[str], limit: int) -> None:
        self._tokenizer = tokenizer
        self._limit = limit
        self._frames = [self._frame(hypothesis) for hypothesis in hypotheses]
        self._sizes = np.array([frame.size for frame in self._frames], dtype=np.int64)
        self.with_types = "token_type_ids" in tokenizer.model_input_names
        longest = int(self._sizes.max())
        if longest >= limit:
            raise ConfigurationError(
                f"expected hypotheses that leave room for a text in {limit} tokens, found one of {longest}. "
                "Shorten zero_shot_label or hypothesis in the taxonomy, or raise the limit"
            )

    def _frame(self, hypothesis: str) -> Frame:
        """Encodes a pair of the hypothesis with itself and takes its first half out."""
        encoded = self._tokenizer(
            hypothesis, hypothesis, return_token_type_ids=True, truncation=False, verbose=False
        )
        both = np.array([encoded["input_ids"], encoded["token_type_ids"]], dtype=np.int64)
        first = [place for place, part in enumerate(encoded.sequence_ids(0)) if part == 0]
        if not first:
            raise ConfigurationError(
                f"expected a hypothesis that the tokenizer can read, found {hypothesis!r}. "
                "Change zero_shot_label or hypothesis in the taxonomy"
            )
        start, end = first[0], first[-1] + 1
        return Frame(both[:, :start], both[:, end:])

    def premises(self, texts: Sequence[str]) -> list[Int64s]:
        """Token ids of each text without special tokens, at most `limit` of them; empty where there are none."""
        if not texts:
            return []
        encoded = self._tokenizer(
            [readable(text[: self._limit * CHARS_PER_TOKEN]) for text in texts],
            add_special_tokens=False,
            truncation=True,
            max_length=self._limit,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        return [np.array(ids, dtype=np.int64) for ids in encoded["input_ids"]]

    def lengths(self, premises: Sequence[Int64s]) -> Int64s:
        """Tokens of each pair, special tokens included; shape [texts * hypotheses]."""
        texts = np.array([len(premise) for premise in premises], dtype=np.int64)
        lengths: Int64s = np.minimum(texts[:, None] + self._sizes, self._limit).ravel()
        return lengths

    def planes(self, premises: Sequence[Int64s], pairs: Int64s, lengths: Int64s) -> Int64s:
        """Inputs for some pairs, padded on the right to the longest of them.

        Shape [3, pairs, width]: input ids, attention mask, token types. `lengths` are those of all pairs.
        """
        sizes = lengths[pairs]
        width = int(sizes.max())
        planes = np.zeros((3, len(pairs), width), dtype=np.int64)
        planes[0] = self._tokenizer.pad_token_id
        planes[1] = np.arange(width) < sizes[:, None]
        for row, (pair, size) in enumerate(zip(pairs.tolist(), sizes.tolist(), strict=True)):
            text, hypothesis = divmod(pair, len(self._frames))
            frame = self._frames[hypothesis]
            start, end = frame.head.shape[1], size - frame.tail.shape[1]
            planes[::2, row, :start] = frame.head
            planes[0, row, start:end] = premises[text][: end - start]
            planes[::2, row, end:size] = frame.tail
        return planes


def readable(text: str) -> str:
    """The text with lone surrogates replaced, which no tokenizer takes; nothing for nothing but blanks."""
    return "" if text.isspace() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
