"""What a stage is built from."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.settings import Settings
from shared.taxonomy import Taxonomy


class StageParts(msgspec.Struct, frozen=True):
    """What the `build` of a stage gets: the categories, and which model on which device with which limits.

    `database` is a `shared.store.Database`, for stages that keep something: their `build` lies in `shared.runtime`.
    """

    taxonomy: Taxonomy
    settings: Settings
    database: Any = None
    taxonomy_id: int = 0
