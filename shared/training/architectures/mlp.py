"""`mlp`: two layers on what a frozen encoder makes of a text.

What a text's features are does not change, so they are computed once and not in every epoch: training takes seconds,
and checkpoints hold the two layers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from shared.classifiers.onnx_classifier import padded
from shared.compute.arrays import Int64s
from shared.compute.device import unless_out_of_memory
from shared.compute.packing import scored
from shared.training.architectures import encoder as encoders
from shared.training.architectures.architecture import Defaults, EncodedText
from shared.training.architectures.classification import answer
from shared.training.batching import FEATURES

TOKENS_PER_BATCH: Final = 4_096
"""Padding included, where features are computed."""


class MlpConfig(encoders.EncoderConfig):
    """`hidden` is the width of the layer between, and there is dropout before each of the two."""

    model_type = "otzyv-mlp"
    __init__ = encoders.EncoderConfig.__init__


class MlpHead(PreTrainedModel):  # type: ignore[misc]  # transformers is Any to mypy
    """From features of shape [n, size] to logits [n, k]."""

    config_class = MlpConfig
    main_input_name = FEATURES

    def __init__(self, config: MlpConfig) -> None:
        super().__init__(config)
        self.layers = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(config.encoder.hidden_size, config.hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, config.num_labels),
        )
        self.post_init()

    def forward(self, features: Tensor, labels: Tensor | None = None) -> SequenceClassifierOutput:
        """Features [n, size]; labels [n], for the loss."""
        return answer(self.layers(features), labels)

    def _init_weights(self, module: nn.Module) -> None:
        """As torch began them: a start for encoders' layers of 0.02 is too small for these."""


class MlpClassifier(encoders.AroundEncoderModel):
    """The frozen encoder, whose dropout never works, and the layers that are trained.

    Features are the mean over a text's tokens. In an encoder that was not tuned for a task, the first token, which was
    pretrained to tell whether two sentences follow one another, is the worse sentence vector (Reimers, Gurevych:
    "Sentence-BERT", EMNLP 2019, table 1).
    """

    config_class = MlpConfig

    def __init__(self, config: MlpConfig, encoder: Any = None) -> None:
        super().__init__(config, encoder)
        self.encoder.requires_grad_(False)
        self.head = MlpHead(config)
        self.post_init()

    def train(self, mode: bool = True) -> MlpClassifier:
        """The encoder stays as it is."""
        super().train(mode)
        self.encoder.eval()
        return self

    def features(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Both of shape [n, tokens]; returns [n, size]."""
        with torch.no_grad():
            states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        kept = attention_mask[..., None].to(states.dtype)
        return (states * kept).sum(dim=1) / kept.sum(dim=1)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None
    ) -> SequenceClassifierOutput:
        """Ids and mask [n, tokens]; labels [n], for the loss."""
        return self.head(self.features(input_ids, attention_mask), labels)


class Mlp(encoders.AroundEncoder):
    """Trains the head of an MlpClassifier on features that were computed before."""

    kind = MlpClassifier
    defaults = Defaults(
        base="DeepPavlov/rubert-base-cased",
        epochs=50,
        batch_rows=64,
        learning_rate=1e-3,
        dropout=0.2,
        hidden=256,
        balance="oversample",
    )

    def trained(self, model: Any) -> Any:
        return model.head

    def examples(self, model: Any, ids: Sequence[list[int]], device: Any) -> list[EncodedText]:
        """Features of each text, 4 bytes per number of the encoder's width; equal texts are computed once.

        Raises MemoryError where there is none for a single text.
        """
        model = model.to(device).eval()
        places = {one: place for place, one in enumerate(dict.fromkeys(map(tuple, ids)))}
        distinct = list(places)

        def computed(rows: Int64s) -> Tensor | None:
            both = [*map(torch.from_numpy, padded([distinct[row] for row in rows]).values())]
            return unless_out_of_memory(
                device, lambda: model.features(*(one.to(device) for one in both)).float().cpu()
            )

        vectors = torch.empty(len(distinct), model.config.encoder.hidden_size)
        for rows, some in scored(np.array([len(one) for one in distinct]), TOKENS_PER_BATCH, computed):
            vectors[torch.from_numpy(rows)] = some
        model.cpu()
        return [{FEATURES: vectors[places[tuple(one)]]} for one in ids]
