"""A mapping: in which fields of a producer's messages the fields of a review are.

How one is written is in `mapping_syntax`, how messages are read by it in `mapped`.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Any, Literal

import msgspec

from shared.reviews import paths

Unmapped = Literal["ignore", "meta"]


class Place(msgspec.Struct, frozen=True):
    """Where a value is: at a path in the review, at one in the message around it, or here, the same for all."""

    path: str = ""
    in_message: bool = False
    const: str | None = None

    def value(self, review: object, message: object) -> Any:
        """What is there; None where nothing is."""
        if self.const is not None:
            return self.const
        return paths.at(message if self.in_message else review, self.path)

    def __str__(self) -> str:
        if self.const is not None:
            return repr(self.const)
        return f"{self.path} of the message" if self.in_message else self.path


class FieldMapping(msgspec.Struct, frozen=True):
    """Where a review's fields are in the messages of one queue or stream, `name`.

    A text is joined from all of its places. Local times are in `zone`; None where the mapping names none. `meta` are
    names with places; `reviews` is the path of the array of reviews, in messages that have one.
    """

    name: str
    id: Place
    text: tuple[Place, ...]
    source: Place
    created_at: Place | None = None
    zone: tzinfo | None = None
    meta: dict[str, Place] = {}
    unmapped: Unmapped = "ignore"
    reviews: str = "reviews"

    @property
    def paths(self) -> list[str]:
        """The paths in a review that are mapped."""
        places = (self.id, *self.text, self.source, *([self.created_at] if self.created_at else ()))
        return [place.path for place in (*places, *self.meta.values()) if place.path and not place.in_message]

    def __str__(self) -> str:
        meta = (str(at) if str(at) == name else f"{name} from {at}" for name, at in self.meta.items())
        parts = {
            "id": str(self.id),
            "text": " + ".join(map(str, self.text)),
            "source": str(self.source),
            "created_at": str(self.created_at or "") + (f" ({self.zone})" if self.zone else ""),
            "meta": ", ".join(meta),
        }
        if self.reviews != "reviews":
            parts["reviews"] = self.reviews
        told = "; ".join(f"{field}: {said}" for field, said in parts.items() if said)
        return f"{told}; other fields are {'ignored' if self.unmapped == 'ignore' else 'kept in meta'}"
