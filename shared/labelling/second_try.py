"""What failed gets a second try, or is given up for good, a bounded part at a time.

Each part is one transaction: a process that dies leaves every failure either as it was or settled. Knows no broker:
what is to be sent is handed back, or to a function that sends it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.catalogue import STAGES
from shared.labelling.labeller import for_people
from shared.reviews.origin import Origin
from shared.settings import Settings
from shared.store import Database, failures, labels, places, second_tries
from shared.store.failures import MAX_PAYLOAD_BYTES, FailureFilter, FailureKind
from shared.store.places import WaitingReview
from shared.store.second_tries import Again

ROWS = 500
"""Failures in one transaction."""
MESSAGES = 100
BYTES = 16 * 2**20
"""Rejected payloads in one transaction: ingest waits for it when it rejects one of them once more."""


class RetriedPart(msgspec.Struct, frozen=True):
    """What became of one part: failures looked at, how many of them were dealt with, and what is to be sent now."""

    seen: int
    done: int
    reviews: Sequence[Again] = ()
    unpredicted: Sequence[int] = ()

    def by_stage(self) -> Mapping[tuple[str, int], list[int]]:
        """The reviews by (stage, taxonomy) that they wait for."""
        found: dict[tuple[str, int], list[int]] = defaultdict(list)
        for row in self.reviews:
            found[row.stage, row.taxonomy_id].append(row.review_id)
        return found


def stages_of_queues(settings: Settings) -> list[tuple[str, str]]:
    """(queue, stage) of the stages in use, in the order of the cascade.

    A queue that no stage in use goes to now means the stages that would go there by other settings.
    """
    now = [(STAGES[stage].queue_by(settings), stage) for stage in settings.stages]
    ever = [(queue, stage) for stage in settings.stages for queue in STAGES[stage].queues]
    known = {queue for queue, _ in now}
    return [*now, *(pair for pair in ever if pair[0] not in known)]


def wait_again(
    database: Database, choice: FailureFilter, stages: Sequence[tuple[str, str]], first_stage: str
) -> Iterator[RetriedPart]:
    """Reviews that failed in a stage wait again. Each part is committed before it is handed out, to be sent."""

    def settle(cursor: Cursor, numbers: Sequence[int]) -> RetriedPart:
        again = second_tries.wait_again(cursor, numbers, stages, first_stage)
        return RetriedPart(len(numbers), len(again), reviews=again)

    return _parts(database, choice, "stage", settle)


def await_again(database: Database, choice: FailureFilter, taxonomy_id: int) -> Iterator[RetriedPart]:
    """Reviews that could not be predicted await a prediction again. Each part is committed, and is to be sent."""

    def settle(cursor: Cursor, numbers: Sequence[int]) -> RetriedPart:
        again = second_tries.await_again(cursor, numbers, taxonomy_id)
        return RetriedPart(len(numbers), len(again), unpredicted=again)

    return _parts(database, choice, "prediction", settle)


def send_again(
    database: Database, choice: FailureFilter, send: Callable[[bytes, Origin], None]
) -> Iterator[RetriedPart]:
    """Hand what was rejected, and where it first came from, to `send`, in the order in which it was rejected.

    `send` returns once it is in the broker's keeping; then it is forgotten.

    Rows are deleted before they are sent and committed after. So a rejection of the same bytes meanwhile waits for
    the end of the transaction and writes a row of its own; and where sending fails, the rows are still there. Those
    whose bytes are not all there are left.
    """
    after = 0
    while True:
        with database.transaction() as cursor:
            found = failures.take(cursor, choice, "rejected", after, MESSAGES)
            if not found:
                return
            # As many of the first as are not too large together, and one at least.
            sizes = accumulate(size or 0 for _, size in found)
            found = found[: max(1, sum(total <= BYTES for total in sizes))]
            whole = [number for number, size in found if size is not None and size < MAX_PAYLOAD_BYTES]
            for payload, came in failures.take_out(cursor, whole):
                send(payload, came)
        after = found[-1][0]
        yield RetriedPart(len(found), len(whole))


def drop(database: Database, choice: FailureFilter, kind: FailureKind) -> Iterator[RetriedPart]:
    """Forget failures. A review that would be left with nothing gets its best guess as a label that needs a person."""

    def settle(cursor: Cursor, numbers: Sequence[int]) -> RetriedPart:
        again = second_tries.wait_again(cursor, numbers, (), "") if kind == "stage" else []
        by_taxonomy: dict[int, list[WaitingReview]] = defaultdict(list)
        for row in again:
            by_taxonomy[row.taxonomy_id].append(WaitingReview(row.review_id, row.revision, ""))
        for taxonomy_id, rows in by_taxonomy.items():
            held = places.hold(cursor, [row.review_id for row in rows], taxonomy_id)
            labels.settle(cursor, for_people(cursor, rows, taxonomy_id), taxonomy_id, held)
        failures.delete(cursor, numbers)
        return RetriedPart(len(numbers), len(numbers), reviews=again)

    return _parts(database, choice, kind, settle)


def _parts(
    database: Database,
    choice: FailureFilter,
    kind: FailureKind,
    settle: Callable[[Cursor, Sequence[int]], RetriedPart],
) -> Iterator[RetriedPart]:
    after = 0
    while True:
        with database.transaction() as cursor:
            numbers = [number for number, _ in failures.take(cursor, choice, kind, after, ROWS)]
            if not numbers:
                return
            part = settle(cursor, numbers)
        after = numbers[-1]
        yield part
