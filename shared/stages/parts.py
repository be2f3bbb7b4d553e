"""What a stage is built from."""

from __future__ import annotations

from typing import Protocol

from shared.settings import Settings
from shared.taxonomy import Taxonomy


class StageParts(Protocol):
    """What the `build` of a stage gets. That of the LLM stage gets the store as well: see `shared.runtime.stages`."""

    @property
    def taxonomy(self) -> Taxonomy:
        """The categories."""
        ...

    @property
    def settings(self) -> Settings:
        """Which model, on which device, with which limits."""
        ...
