"""Words with the vectors of navec, as a tokenizer and an embedding: what the LSTM reads.

The vectors stay as they are stored, as numbers of codes: 25 MB for 240,000 words, where written out they would be 290.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

from shared.compute.arrays import Int64s
from shared.encoders.navec import WordVectors, word_numbers
from shared.text.reading import CODEC

PAD: Final = "[PAD]"
UNKNOWN: Final = "[UNK]"
BEGIN: Final = "[CLS]"
"""Before every text, so that an empty one has a token too."""
SPECIAL: Final = (PAD, UNKNOWN, BEGIN)
"""The first tokens, with the numbers 0, 1 and 2. None can come out of a text: brackets are no part of a word."""

_OF_NAVEC: Final = ("<pad>", "<unk>", "<pad>")
"""The entries of navec whose vectors they have. <pad> is all zeros."""

_LETTERS: Final = (("и\u0306", "й"), ("і\u0308", "ї"), ("у\u0306", "ў"))
"""Letters that stay what they are, where others, such as ё, lose what is above them."""


def navec_words(vectors: WordVectors) -> tuple[bytes, Int64s]:
    """The content of a tokenizer.json, which reads texts as `shared.text.reading` does, and a row of navec per token.

    Its words are those of navec that are one word in a review, in small letters, е for ё.
    """
    numbers = word_numbers(vectors)
    spelled = [word.decode(CODEC) for word in numbers]
    vocabulary = {word: at for at, word in enumerate((*SPECIAL, *spelled))}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    made.normalizer = normalizers.Sequence(
        [
            normalizers.NFD(),
            normalizers.Lowercase(),
            *(normalizers.Replace(decomposed, letter) for decomposed, letter in _LETTERS),
            normalizers.Replace(Regex(r"[\p{Mn}\p{Me}\p{Cf}]"), ""),
        ]
    )
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[^\p{L}\p{N}]+"), "removed")
    made.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, SPECIAL.index(BEGIN))]
    )
    special = [vectors.words.index(name) for name in _OF_NAVEC]
    return str(made.to_str()).encode(), np.array([*special, *numbers.values()])


class QuantisedEmbedding(nn.Module):  # type: ignore[misc]  # torch is Any to mypy
    """From ids of shape [n, tokens] to vectors [n, tokens, parts * width], which are not trained.

    Product quantisation: word i has `codes[q * centroids + indexes[i, q]]` for each part q of its vector.
    """

    def __init__(self, words: int, parts: int, centroids: int, width: int) -> None:
        super().__init__()
        self._parts, self._centroids = parts, centroids
        self.register_buffer("indexes", torch.zeros(words, parts, dtype=torch.uint8))
        self.register_buffer("codes", torch.zeros(parts * centroids, width))

    def fill(self, vectors: WordVectors, rows: Int64s) -> None:
        """Take over the vectors of some rows of navec, in this order."""
        self.indexes.copy_(torch.from_numpy(vectors.indexes[rows]))
        self.codes.copy_(torch.from_numpy(vectors.codes.reshape(self.codes.shape).copy()))

    def forward(self, ids: Tensor) -> Tensor:
        """Ids [n, tokens], below the number of words."""
        first = torch.arange(self._parts, device=ids.device) * self._centroids
        found = nn.functional.embedding(self.indexes[ids].long() + first, self.codes)
        return found.flatten(2)
