"""The way in: reviews of one or more messages become rows, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shared.reviews.wire import Message
from shared.store import Database, awaiting, batches, failures, reviews, streams
from shared.store.streams import Step


class Stored(msgspec.Struct, frozen=True):
    """What became of a transaction's reviews.

    `ids` holds the review ids of each message; `first_stage` those that wait for the first stage, to be sent,
    `unpredicted` those that await a prediction. `new` reviews nobody knew, `replaced` ones have another text now.
    """

    ids: list[list[int]]
    first_stage: list[int]
    unpredicted: list[int]
    new: int
    replaced: int


def take_in(
    database: Database,
    messages: Sequence[Message],
    *,
    queue: str,
    taxonomy_id: int,
    first_stage: str,
    predict_queue: str | None = None,
    step: Step | None = None,
) -> Stored:
    """Store the messages' reviews, note their rejected ones and the batches they belong to.

    With `predict_queue`, the queue of predictions, they are put in line for one as well. With `step`, for messages of
    a stream, the stream's position is moved too; raises PositionLost, and stores nothing, where that cannot be.
    Idempotent: the same messages again change no row, and still return the reviews that wait to be sent.
    """
    with database.transaction() as cursor:
        found = reviews.upsert(cursor, messages, taxonomy_id, first_stage)
        unpredicted = (
            []
            if predict_queue is None
            else awaiting.await_predictions(cursor, taxonomy_id, predict_queue, found.fresh, found.known)
        )
        failures.record_rejected(cursor, queue, messages, step.offsets if step else None)
        batches.record(cursor, messages, found.ids)
        if step is not None:
            streams.move(cursor, step, sorted({*found.first_stage, *unpredicted}))
    return Stored(found.ids, found.first_stage, unpredicted, len(found.fresh), found.replaced)
