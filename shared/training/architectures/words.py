"""Words with the vectors of navec, and with what a taxonomy says of them, as a tokenizer and embeddings: for the LSTM.

The vectors stay as they are stored, as numbers of codes: 25 MB for 240,000 words, where written out they would be 290.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

from shared.compute.arrays import Float32s, Int64s
from shared.encoders.navec import WordVectors, word_numbers
from shared.stages.keywords.lexicon import HINT, Term, taxonomy_forms
from shared.taxonomy import Taxonomy
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


def navec_words(vectors: WordVectors, more: Iterable[str] = ()) -> tuple[bytes, dict[str, int], Int64s]:
    """The content of a tokenizer.json, which reads texts as `shared.text.reading` does, its words, a row of navec each.

    Its words are those of navec that are one word in a review, in small letters, е for ё; then those of `more` that are
    none of them, which have the vector of zeros.
    """
    numbers = word_numbers(vectors)
    spelled = [word.decode(CODEC) for word in numbers]
    known = {*spelled}
    strange = [word for word in dict.fromkeys(more) if word not in known]
    spelled += strange
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
    rows = [*special, *numbers.values(), *(special[:1] * len(strange))]
    return str(made.to_str()).encode(), vocabulary, np.array(rows)


def own_words(taxonomy: Taxonomy) -> Iterator[str]:
    """Every form of a taxonomy's entries that is one word."""
    found = taxonomy_forms(taxonomy)
    return (form for form in (*found.products, *found.rest) if " " not in form)


def spoken_words(taxonomy: Taxonomy | None, vocabulary: Mapping[str, int]) -> tuple[Int64s, Float32s]:
    """For each token the row of what it says, and the rows [m, 2 * k]; row 0, that of most words, says nothing.

    Of each of k categories: how loudly a word names it, then how loudly it hints at it. Phrases are left to the LSTM.
    Without a taxonomy there are no rows.
    """
    said = np.zeros(len(vocabulary), np.int64)
    if taxonomy is None:
        return said, np.zeros((0, 0), np.float32)
    found = taxonomy_forms(taxonomy)
    k = len(taxonomy.categories)
    numbers: dict[tuple[Term, ...], int] = {(): 0}
    for form, terms in (*found.products.items(), *found.rest.items()):
        if form in vocabulary:
            said[vocabulary[form]] = numbers.setdefault(terms, len(numbers))
    rows = np.zeros((len(numbers), 2 * k), np.float32)
    for terms, number in numbers.items():
        for term in terms:
            rows[number, term.category + k * (term.kind == HINT)] = term.weight
    return said, rows


class SpokenWords(nn.Module):  # type: ignore[misc]  # torch is Any to mypy
    """From ids of shape [n, tokens] to what `spoken_words` says of each, [n, tokens, width], which is not trained."""

    def __init__(self, words: int, rows: int, width: int) -> None:
        super().__init__()
        self.register_buffer("said", torch.zeros(words, dtype=torch.int32))
        self.register_buffer("rows", torch.zeros(rows, width))

    def fill(self, said: Int64s, rows: Float32s) -> None:
        """Take over what each token says."""
        self.said.copy_(torch.from_numpy(said))
        self.rows.copy_(torch.from_numpy(rows))

    def forward(self, ids: Tensor) -> Tensor:
        """Ids [n, tokens], below the number of words."""
        return nn.functional.embedding(self.said[ids].long(), self.rows)


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
