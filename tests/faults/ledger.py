"""What was sent and confirmed against what came of it, after Jepsen's total-queue checker.

Lost: confirmed, and neither labelled nor failed with a reason. Unexpected: labelled, and never sent. Duplicates: rows
that are there once too often. Left: messages in queues that should be empty. All four are zero, or the promise of
docs/delivery.md is broken.
"""

from __future__ import annotations

from typing import Any

import msgspec
from kombu import Connection

from shared.store import Database
from tests.support import ledger as tables
from tests.support.servers import RabbitNode
from workers.rabbitmq import topology

SOURCE = "shop"
DEAD = {line.dead_letters for line in topology.LINES}

# A review that failed in a stage is named by its row, one that was refused at the door by its names.
ENDED = """
SELECT r.external_id FROM reviews r JOIN labels l ON l.review_id = r.id WHERE r.source = %(source)s
UNION SELECT r.external_id FROM reviews r JOIN failures f ON f.review_id = r.id WHERE r.source = %(source)s
UNION SELECT f.external_id FROM failures f WHERE f.source = %(source)s AND f.reason <> ''
"""
DUPLICATES = """
SELECT coalesce(sum(n - 1), 0) FROM (
    SELECT count(*) AS n FROM labels GROUP BY review_id, taxonomy_id
    UNION ALL SELECT count(*) FROM predictions GROUP BY review_id, model_id
    UNION ALL SELECT count(*) FROM reviews GROUP BY source, external_id
    UNION ALL SELECT count(*) FROM failures WHERE review_id IS NOT NULL GROUP BY review_id, revision, queue
) AS rows
"""


class Counts(msgspec.Struct, frozen=True):
    """The four counts, and those that say that something was there to be counted."""

    lost: int
    unexpected: int
    duplicates: int
    left: int
    confirmed: int
    labelled: int
    failed: int
    dead_letters: int

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:,}" for name, value in msgspec.structs.asdict(self).items())


class Ledger:
    """What a test sent through one virtual host into one database."""

    def __init__(self, database: Database, rabbit: RabbitNode, amqp_url: str) -> None:
        self.sent: set[str] = set()
        self.confirmed: set[str] = set()
        self.bad: list[bytes] = []
        """Confirmed messages that hold no review that could be stored: each must be in `failures` with its reason."""
        self.notes: list[str] = []
        self.counts: Counts | None = None
        self._database, self._rabbit, self._amqp_url = database, rabbit, amqp_url

    def note(self, seen: str) -> None:
        """What the test saw besides the counts; it goes into the table of faults."""
        self.notes.append(seen)

    def count(self) -> Counts:
        """The counts as they are now. Meaningful once the processes have stopped, or nothing moves any more."""
        with self._database.transaction() as cursor:
            cursor.execute(ENDED, {"source": SOURCE})
            ended = {name for (name,) in cursor.fetchall()}
            cursor.execute("SELECT r.external_id FROM reviews r JOIN labels l ON l.review_id = r.id")
            labelled = [name for (name,) in cursor.fetchall()]
            cursor.execute("SELECT payload FROM failures WHERE payload IS NOT NULL AND reason <> ''")
            refused = {bytes(payload) for (payload,) in cursor.fetchall()}
            cursor.execute(DUPLICATES)
            ((duplicates,),) = cursor.fetchall()
        queues = self.queues()
        lost = len(self.confirmed - ended) + sum(body not in refused for body in self.bad)
        return Counts(
            lost=lost,
            unexpected=len(set(labelled) - self.sent),
            duplicates=int(duplicates),
            left=sum(count for name, count in queues.items() if name not in DEAD),
            confirmed=len(self.confirmed) + len(self.bad),
            labelled=len(labelled),
            failed=tables.count(self._database, "failures"),
            dead_letters=sum(count for name, count in queues.items() if name in DEAD),
        )

    def in_flight(self) -> dict[str, int]:
        """Queues with messages that wait or are worked on, as counted up to a few seconds ago.

        A node that was restarted has no count of a queue in which nothing has happened since: then those that wait.
        """
        counts = {queue["name"]: queue.get("messages") for queue in self._listed()}
        ready = self.queues() if None in counts.values() else {}
        found = {name: ready.get(name, 0) if count is None else count for name, count in counts.items()}
        return {name: count for name, count in found.items() if count and name not in DEAD}

    def _listed(self) -> list[dict[str, Any]]:
        host = self._amqp_url.rsplit("/", 1)[1]
        listed: Any = self._rabbit.api(
            "GET", f"/api/queues/{host}?columns=name,messages,auto_delete,exclusive"
        )
        return [queue for queue in listed if not (queue["auto_delete"] or queue["exclusive"])]

    def queues(self) -> dict[str, int]:
        """Messages ready in every queue of the virtual host, those of Celery's delays included."""
        names = [queue["name"] for queue in self._listed()]
        with Connection(self._amqp_url) as connection, connection.channel() as channel:
            return {name: channel.queue_declare(name, passive=True).message_count for name in names}

    def check(self, *, failed: int = 0, dead_letters: int = 0) -> Counts:
        """The promise: nothing lost, unexpected, doubled or left, and no failure but those that the test made."""
        found = self.counts = self.count()
        print(found)
        assert (found.lost, found.unexpected, found.duplicates, found.left) == (0, 0, 0, 0), found
        assert tables.astray(self._database) == [], "a review is in none or in several places"
        assert tables.count(self._database, "waiting") == 0
        assert (found.failed, found.dead_letters) == (failed, dead_letters), found
        assert found.confirmed > 0, "nothing was sent: the test shows nothing"
        return found
