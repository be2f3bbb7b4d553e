"""The networks that can be trained, by the name of their architecture. `linear` is no network, and not here."""

from __future__ import annotations

from typing import Final

import msgspec

from shared.errors import TrainingError
from shared.training.architectures.architecture import Architecture, Built, Defaults
from shared.training.architectures.bert_lstm import BertLstm
from shared.training.architectures.full import Full
from shared.training.architectures.lora import Lora
from shared.training.architectures.lstm import Lstm
from shared.training.architectures.mlp import Mlp
from shared.training.arguments import Arguments

NETWORKS: Final[dict[str, Architecture]] = {
    "lstm": Lstm(),
    "mlp": Mlp(),
    "full": Full(),
    "bert_lstm": BertLstm(),
    "lora": Lora(),
}


def network(name: str) -> Architecture:
    """The architecture of some name. Raises TrainingError where it is no network."""
    try:
        return NETWORKS[name]
    except KeyError:
        raise TrainingError(f"architecture: expected one of {', '.join(NETWORKS)}, found {name!r}") from None


def with_defaults(arguments: Arguments) -> Arguments:
    """The same arguments with the architecture's own values where none was given. Raises as `network`."""
    own = msgspec.structs.asdict(network(arguments.architecture).defaults)
    return arguments.model_copy(
        update={name: value for name, value in own.items() if getattr(arguments, name) is None}
    )


__all__ = ["NETWORKS", "Architecture", "Built", "Defaults", "network", "with_defaults"]
