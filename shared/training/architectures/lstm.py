"""`lstm`: word vectors, and what a taxonomy says of words, go into an LSTM. It needs no hub, and minutes on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from shared.encoders.navec import word_vectors
from shared.taxonomy import Taxonomy
from shared.training.architectures.architecture import Architecture, Built, Defaults
from shared.training.architectures.bilstm import BiLstm
from shared.training.architectures.classification import answer, head, numbered
from shared.training.architectures.words import (
    QuantisedEmbedding,
    SpokenWords,
    navec_words,
    own_words,
    spoken_words,
)
from shared.training.arguments import Arguments
from shared.training.data import Data


class LstmConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers is Any to mypy
    """Words and how their vectors are quantised, the width of each direction of the LSTM, and its dropout.

    `spoken` is how many different things words say of categories, 0 where nothing is known of them.
    """

    model_type = "otzyv-lstm"

    def __init__(
        self,
        words: int = 3,
        quantised: Sequence[int] = (1, 1, 1),
        hidden: int = 256,
        dropout: float = 0.3,
        spoken: int = 0,
        **fields: Any,
    ) -> None:
        self.words = words
        self.quantised = list(quantised)
        self.hidden = hidden
        self.dropout = dropout
        self.spoken = spoken
        super().__init__(**fields)


class LstmClassifier(PreTrainedModel):  # type: ignore[misc]  # transformers is Any to mypy
    """The vectors are frozen: a few thousand reviews would move those of the words in them away from all others."""

    config_class = LstmConfig

    def __init__(self, config: LstmConfig) -> None:
        super().__init__(config)
        parts, centroids, width = config.quantised
        self.embedding = QuantisedEmbedding(config.words, parts, centroids, width)
        told = 2 * config.num_labels if config.spoken else 0
        self.spoken = SpokenWords(config.words, config.spoken, told) if told else None
        self.head = BiLstm(parts * width + told, config.hidden, config.num_labels, config.dropout)
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None
    ) -> SequenceClassifierOutput:
        """Ids and mask [n, tokens]; labels [n], for the loss."""
        states = self.embedding(input_ids)
        if self.spoken is not None:
            states = torch.cat([states, self.spoken(input_ids)], dim=2)
        return answer(self.head(states, attention_mask), labels)

    def _init_weights(self, module: nn.Module) -> None:
        """As torch began them."""


class Lstm(Architecture):
    """`vectors` is a file in navec's format; without one, those in the wheel of natasha. `base` means nothing here."""

    defaults = Defaults(base=None, epochs=15, batch_rows=64, learning_rate=2e-3, dropout=0.4, hidden=128)

    def build(self, arguments: Arguments, labels: Sequence[str]) -> Built:
        """Raises ConfigurationError where there are no vectors. They are read whatever `random_weights` says."""
        return self._built(arguments, labels, None)

    def build_for(self, arguments: Arguments, data: Data) -> Built:
        """With what the taxonomy says of each word, where it is known and `keyword_features` does not leave it out."""
        return self._built(arguments, data.labels, data.taxonomy if arguments.keyword_features else None)

    def _built(self, arguments: Arguments, labels: Sequence[str], taxonomy: Taxonomy | None) -> Built:
        vectors = word_vectors(Path(arguments.vectors) if arguments.vectors else None)
        tokenizer, vocabulary, rows = navec_words(vectors, own_words(taxonomy) if taxonomy else ())
        said, told = spoken_words(taxonomy, vocabulary)
        fields = {**head(arguments), **numbered(labels), "words": len(rows), "spoken": len(told)}
        model = LstmClassifier(LstmConfig(quantised=vectors.codes.shape, **fields))
        model.embedding.fill(vectors, rows)
        if model.spoken is not None:
            model.spoken.fill(said, told)
        return Built(model, tokenizer, arguments.max_tokens, f"navec/{vectors.id}")
