"""`bert_lstm`: the states of an encoder go into an LSTM, and both are trained."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.modeling_outputs import SequenceClassifierOutput

from shared.training.architectures import encoder as encoders
from shared.training.architectures.architecture import Defaults
from shared.training.architectures.bilstm import BiLstm
from shared.training.architectures.classification import answer


class BertLstmConfig(encoders.EncoderConfig):
    """`hidden` is the width of each direction of the LSTM."""

    model_type = "otzyv-bert-lstm"
    __init__ = encoders.EncoderConfig.__init__


class BertLstmClassifier(encoders.AroundEncoderModel):
    """The encoder is trained as well: an LSTM on frozen states would be another `mlp`, at the price of this one."""

    config_class = BertLstmConfig

    def __init__(self, config: BertLstmConfig, encoder: Any = None) -> None:
        super().__init__(config, encoder)
        self.head = BiLstm(config.encoder.hidden_size, config.hidden, config.num_labels, config.dropout)
        self.post_init()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None
    ) -> SequenceClassifierOutput:
        """Ids and mask [n, tokens]; labels [n], for the loss."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return answer(self.head(states, attention_mask), labels)


class BertLstm(encoders.AroundEncoder):
    """A small encoder by default: with a large one, a step on a CPU takes seconds."""

    kind = BertLstmClassifier
    defaults = Defaults(
        base="cointegrated/rubert-tiny2",
        epochs=10,
        batch_rows=32,
        learning_rate=1e-4,
        dropout=0.2,
        hidden=256,
    )
