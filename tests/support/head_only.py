"""An architecture that Otzyv does not have: this file, and its row in the table."""

from __future__ import annotations

from collections.abc import Sequence

from shared.catalogue import ListedArchitecture
from shared.training.architectures import encoder
from shared.training.architectures.architecture import Architecture, Built, Defaults
from shared.training.arguments import Arguments


class HeadOnly(Architecture):
    """The classification layer of an encoder, whose other weights stay as they are."""

    defaults = Defaults(base=None, epochs=3, batch_rows=4, learning_rate=1e-2, dropout=0.0)

    def build(self, arguments: Arguments, labels: Sequence[str]) -> Built:
        built = encoder.classifier(arguments, labels)
        for parameter in built.model.base_model.parameters():
            parameter.requires_grad_(False)
        return built


ROW = ListedArchitecture(name="head_only", code="tests.support.head_only:HeadOnly")
