"""How many messages wait in the queues of a line."""

from __future__ import annotations

from workers.app import app
from workers.rabbitmq import connection as broker
from workers.rabbitmq import topology


def depth(line: topology.QueueSpec) -> int:
    """Messages that wait in both lanes of a line, not counting those being worked on."""
    with broker.translated(), app.connection_for_write() as connection, connection.channel() as channel:
        return sum(
            int(topology.queue(one)(channel).queue_declare(passive=True).message_count)
            for one in (line, topology.in_lane(line, "bulk"))
        )
