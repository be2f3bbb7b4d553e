"""`lstm`: word vectors go into an LSTM. It needs no hub, and is trained on a CPU in minutes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from shared.encoders.navec import word_vectors
from shared.training.architectures.architecture import Architecture, Built, Defaults
from shared.training.architectures.bilstm import BiLstm
from shared.training.architectures.classification import answer, head, numbered
from shared.training.architectures.words import QuantisedEmbedding, navec_words
from shared.training.arguments import Arguments


class LstmConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers is Any to mypy
    """Words and how their vectors are quantised, the width of each direction of the LSTM, and its dropout."""

    model_type = "otzyv-lstm"

    def __init__(
        self,
        words: int = 3,
        quantised: Sequence[int] = (1, 1, 1),
        hidden: int = 256,
        dropout: float = 0.3,
        **fields: Any,
    ) -> None:
        self.words = words
        self.quantised = list(quantised)
        self.hidden = hidden
        self.dropout = dropout
        super().__init__(**fields)


class LstmClassifier(PreTrainedModel):  # type: ignore[misc]  # transformers is Any to mypy
    """The vectors are frozen: a few thousand reviews would move those of the words in them away from all others."""

    config_class = LstmConfig

    def __init__(self, config: LstmConfig) -> None:
        super().__init__(config)
        parts, centroids, width = config.quantised
        self.embedding = QuantisedEmbedding(config.words, parts, centroids, width)
        self.head = BiLstm(parts * width, config.hidden, config.num_labels, config.dropout)
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None
    ) -> SequenceClassifierOutput:
        """Ids and mask [n, tokens]; labels [n], for the loss."""
        return answer(self.head(self.embedding(input_ids), attention_mask), labels)

    def _init_weights(self, module: nn.Module) -> None:
        """As torch began them."""


class Lstm(Architecture):
    """`vectors` is a file in navec's format; without one, those in the wheel of natasha. `base` means nothing here."""

    defaults = Defaults(base=None, epochs=15, batch_rows=64, learning_rate=2e-3, dropout=0.4, hidden=128)

    def build(self, arguments: Arguments, labels: Sequence[str]) -> Built:
        """Raises ConfigurationError where there are no vectors. They are read whatever `random_weights` says."""
        vectors = word_vectors(Path(arguments.vectors) if arguments.vectors else None)
        tokenizer, rows = navec_words(vectors)
        fields = {**head(arguments), **numbered(labels)}
        model = LstmClassifier(LstmConfig(words=len(rows), quantised=vectors.codes.shape, **fields))
        model.embedding.fill(vectors, rows)
        return Built(model, tokenizer, arguments.max_tokens, f"navec/{vectors.id}")
