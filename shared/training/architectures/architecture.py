"""What every network says of itself, so that one function trains them all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from shared.classifiers.onnx_classifier import INPUT_IDS
from shared.classifiers.packaging.logits import Logits
from shared.training.arguments import Arguments
from shared.training.data import Data

EncodedText = dict[str, Any]
"""What the trained part of a model reads of one text: `input_ids` as a list, or `features` as a vector."""


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """What an argument is where nobody gave it, by the argument's name. None: the architecture does not use it.

    Oversampling makes an epoch several times as long where categories are rare, and did not help `lstm`; so only `mlp`
    does it, whose epochs are cheap.
    """

    base: str | None
    epochs: int
    batch_rows: int
    learning_rate: float
    dropout: float
    hidden: int | None = None
    balance: Literal["oversample", "weights", "roots", "none"] = "none"


class Built(msgspec.Struct, frozen=True):
    """A model of transformers before training, the content of its tokenizer.json, and the longest text it reads.

    `origin` says what it was built on, without folders of this machine; `fresh` names parts of the model that begin
    without pretrained weights.
    """

    model: Any
    tokenizer: bytes
    max_tokens: int
    origin: str
    fresh: tuple[str, ...] = ()


class Architecture(ABC):
    """One kind of network. Where it trains all of its model on ids, `build` is all that it has to define."""

    defaults: Defaults

    @abstractmethod
    def build(self, arguments: Arguments, labels: Sequence[str]) -> Built:
        """The model before its first step; `arguments` have the defaults filled in, random numbers are seeded.

        Raises TrainingError where what it begins with cannot be had, ModelError where that cannot be used.
        """

    def build_for(self, arguments: Arguments, data: Data) -> Built:
        """As `build`, for an architecture that reads more of its data than the labels, such as the taxonomy."""
        return self.build(arguments, data.labels)

    def trained(self, model: Any) -> Any:
        """The part of the model that is trained: a PreTrainedModel, which checkpoints hold."""
        return model

    def examples(self, model: Any, ids: Sequence[list[int]], device: Any) -> list[EncodedText]:  # noqa: ARG002
        """What the trained part reads of each text; `device` is where to compute it, if it has to be computed."""
        return [{INPUT_IDS: one} for one in ids]

    def finished(self, model: Any) -> Logits:
        """The trained model as a network from ids and mask to logits, on the CPU, ready to be exported."""
        return Logits(model.cpu().eval())
