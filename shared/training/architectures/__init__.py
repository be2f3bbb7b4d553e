"""The networks that can be trained, by the name of their architecture. `linear` and `pair` are none, and not here."""

from __future__ import annotations

from functools import cache

import msgspec

from shared import catalogue
from shared.errors import TrainingError
from shared.training.architectures.architecture import Architecture, Built, Defaults
from shared.training.arguments import Arguments


def networks() -> list[str]:
    """The names of all that are networks."""
    return [name for name, row in catalogue.ARCHITECTURES.items() if row.code is not None]


@cache
def network(name: str) -> Architecture:
    """The architecture of some name. Raises TrainingError where it is no network."""
    row = catalogue.ARCHITECTURES.get(name)
    if row is None or row.code is None:
        raise TrainingError(f"architecture: expected one of {', '.join(networks())}, found {name!r}")
    made: Architecture = catalogue.load(row.code)()
    return made


def with_defaults(arguments: Arguments) -> Arguments:
    """The same arguments with the architecture's own values where none was given. Raises as `network`."""
    own = msgspec.structs.asdict(network(arguments.architecture).defaults)
    return arguments.model_copy(
        update={name: value for name, value in own.items() if getattr(arguments, name) is None}
    )


__all__ = ["Architecture", "Built", "Defaults", "network", "networks", "with_defaults"]
