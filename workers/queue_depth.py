"""How many messages wait in a queue."""

from __future__ import annotations

from workers import broker, topology
from workers.app import app


def depth(line: topology.Line) -> int:
    """Messages that wait in a queue, not counting those being worked on."""
    with broker.translated(), app.connection_for_write() as connection, connection.channel() as channel:
        declared = topology.queue(line)(channel).queue_declare(passive=True)
        return int(declared.message_count)
