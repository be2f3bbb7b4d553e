"""The way in: reviews of one or more messages become rows, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shared.reviews.wire import Message
from shared.store import Database, awaiting, batches, failures, reviews, streams
from shared.store.reviews import Incoming, Stored
from shared.store.streams import Step


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
    batch_ids = [str(message.batch.id) if message.batch else None for message in messages]
    incoming = [
        Incoming(review, part, batch_ids[part])
        for part, message in enumerate(messages)
        for review in message.reviews
    ]
    rejected = [
        (part, (item, batch_ids[part])) for part, message in enumerate(messages) for item in message.rejected
    ]
    with database.transaction() as cursor:
        stored = reviews.upsert(cursor, incoming, taxonomy_id, first_stage)
        if predict_queue is not None:
            stored = msgspec.structs.replace(
                stored,
                unpredicted=awaiting.await_predictions(
                    cursor, taxonomy_id, predict_queue, stored.fresh, stored.known
                ),
            )
        if rejected:
            offsets = [step.offsets[part] if step else None for part, _ in rejected]
            failures.record_rejected(cursor, queue, [item for _, item in rejected], offsets)
        batches.record(
            cursor,
            [
                batches.StoredMessage(message.batch, stored.ids.get(part, []), len(message.rejected))
                for part, message in enumerate(messages)
                if message.batch
            ],
        )
        if step is not None:
            streams.move(cursor, step, sorted({*stored.first_stage, *stored.unpredicted}))
    return stored
