"""What a model may be called in the register. Which model is, the store's history says."""

from typing import Literal

Alias = Literal["champion", "challenger", "student"]
