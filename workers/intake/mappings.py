"""Which mapping is for which source of ingest."""

from __future__ import annotations

from shared.errors import SettingsError
from shared.reviews import mappings_file
from shared.reviews.field_mapping import FieldMapping
from workers.rabbitmq import topology


def by_source(given: str) -> dict[str, FieldMapping]:
    """The mappings of `OTZYV_MAPPINGS` by the names that sources have in `failures`. Raises SettingsError.

    Both lanes of incoming reviews have the mapping of the live one's name; every other name is one of a stream.
    """
    found = mappings_file.load(given)
    incoming, *others = topology.INCOMING, *topology.ALL_LINES
    ours = {name for line in others for name in (line.queue, line.dead_letters)} - {incoming.queue}
    if wrong := next((name for name in found if name in ours or name.startswith("stream ")), None):
        raise SettingsError(
            f"OTZYV_MAPPINGS: expected {incoming.queue}, for both of its lanes, or the name of a stream as in "
            f"`otzyv ingest --stream`; found {wrong!r}"
        )
    return {name if name == incoming.queue else f"stream {name}": one for name, one in found.items()}
