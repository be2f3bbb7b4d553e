"""Where a message first came from that was rejected and is sent again. It travels with it, as JSON in a header."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

HEADER: Final = "otzyv-origin"


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The queue, by whose mapping it is read, the offset if that is a stream, and when it was rejected.

    `in_batch`: it came with the batch of a message that keeps the contract, so that no mapping is for it.
    """

    queue: str
    at: datetime
    offset: int | None = None
    in_batch: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """What a message that is sent again says of it."""
        return {HEADER: msgspec.json.encode(self).decode()}


def of(headers: dict[str, Any] | None) -> Origin | None:
    """What a message says; None where it says nothing, or nothing of use: then it has come just now."""
    try:
        found = msgspec.json.decode(str((headers or {}).get(HEADER, "")), type=Origin)
    except msgspec.DecodeError:
        return None
    return found if found.at.tzinfo and "\x00" not in found.queue and (found.offset or 0) < 2**63 else None
