"""`lora`: low-rank adapters in all layers of a large encoder (Hu et al., "LoRA", ICLR 2022), merged when trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from peft import LoraConfig, TaskType, get_peft_model

from shared.classifiers.packaging.logits import Logits
from shared.encoders.pretrained import usable
from shared.training.architectures import encoder
from shared.training.architectures.architecture import Architecture, Built, Defaults
from shared.training.arguments import Arguments

ALPHA: Final = 2
"""Times the rank: what the adapters' output is scaled by is this number, whatever the rank."""


class Lora(Architecture):
    """Adapters and the classification layers are trained and are all that a checkpoint holds; the encoder is frozen."""

    defaults = Defaults(
        base="DeepPavlov/rubert-base-cased", epochs=5, batch_rows=32, learning_rate=3e-4, dropout=0.1
    )

    def build(self, arguments: Arguments, labels: Sequence[str]) -> Built:
        built = encoder.classifier(arguments, labels)
        # With a name here, peft asks the hub each time that it saves whether the vocabulary has changed.
        built.model.name_or_path = ""
        config = LoraConfig(
            task_type=TaskType.SEQ_CLS,
            r=arguments.lora_rank,
            lora_alpha=ALPHA * arguments.lora_rank,
            lora_dropout=arguments.dropout or 0.0,
            target_modules="all-linear",
            modules_to_save=list(built.fresh),
        )
        with usable(f"base {arguments.base}", "an encoder of linear layers, which adapters can be put into"):
            model = get_peft_model(built.model, config)
        return msgspec.structs.replace(built, model=model)

    def finished(self, model: Any) -> Logits:
        """A plain model of the encoder's family: what serves knows nothing of adapters."""
        return super().finished(model.cpu().merge_and_unload())
