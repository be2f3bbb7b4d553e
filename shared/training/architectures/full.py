"""`full`: all parameters of a small encoder, with one classification layer."""

from __future__ import annotations

from collections.abc import Sequence

from shared.training.architectures import encoder
from shared.training.architectures.architecture import Architecture, Built, Defaults
from shared.training.arguments import Arguments


class Full(Architecture):
    """The encoder's own classifier of transformers, for rubert-tiny2 a BertForSequenceClassification."""

    defaults = Defaults(
        base="cointegrated/rubert-tiny2", epochs=10, batch_rows=32, learning_rate=1e-4, dropout=0.1
    )

    def build(self, arguments: Arguments, labels: Sequence[str]) -> Built:
        return encoder.classifier(arguments, labels)
