"""The way in: reviews of one or more messages become rows, with all that is known of them, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

import msgspec
import structlog
from psycopg2.extensions import cursor as Cursor

from shared.intake.judging import Bench, Judgement, Judging, unjudged
from shared.labelling.opinion import StageCounts
from shared.reviews.wire import Message
from shared.serving.predictor import ServingModels
from shared.store import Database, awaiting, batches, failures, reviews, streams
from shared.store.places import WaitingReview
from shared.store.reviews import Incoming, Name, Upserted
from shared.store.streams import Step

log = structlog.get_logger()


class Stored(msgspec.Struct, frozen=True):
    """What became of a transaction's reviews.

    `ids` holds the review ids of each message; `to_stages` those that wait for a stage, to be sent, by stage,
    `first_stage` those of them that wait for the first, and `unpredicted` those that await a prediction. `new` reviews
    nobody knew, `known` somebody did, of which `replaced` have another text now. `counts` says what each stage did that
    judged before anything was stored; `predicted` how many predictions were stored with the reviews, by the models
    `serving`, `parked` how many reviews wait for a champion.
    """

    ids: list[list[int]]
    to_stages: dict[str, list[int]]
    first_stage: list[int]
    unpredicted: list[int]
    new: int
    known: int
    replaced: int
    counts: dict[str, StageCounts] = {}
    predicted: int = 0
    parked: int = 0
    serving: ServingModels | None = None


def take_in(
    database: Database,
    messages: Sequence[Message],
    *,
    queue: str,
    taxonomy_id: int,
    first_stage: str,
    predict_queue: str | None = None,
    step: Step | None = None,
    judging: Judging | None = None,
    again: bool = False,
    careful: bool = True,
) -> Stored:
    """Store the messages' reviews, note their rejected ones and the batches they belong to.

    With `judging`, new reviews are judged and predicted before; where that fails they wait for `first_stage`, as all do
    without it. With `predict_queue`, the queue of predictions, those that have none are put in line for one. With
    `step`, for messages of a stream, its position is moved too; raises PositionLost, and stores nothing, where that
    cannot be. Idempotent: the same messages again change no row, and still return the reviews that wait for
    `first_stage`, to be sent; with `again`, where whoever had the messages before may have died, all that wait. Unless
    this is done `careful`, all reviews are taken for new ones first, which is the cheaper the fewer are known.
    """
    incoming = reviews.newest(messages)
    present = None if judging is None else judging.present()
    with database.transaction(lasts=False) as cursor:
        numbers = reviews.draw_numbers(cursor, incoming)
        bench = None if judging is None or present is None else judging.bench(cursor, present)
    judged = _judged(judging, bench, incoming, numbers) or unjudged(numbers.values(), first_stage)

    plan = _Plan(queue, taxonomy_id, first_stage, predict_queue, step, again)
    stored = partial(_stored, database, messages, incoming, numbers, judged, plan)
    if not careful and all(one.came_at is None for one in incoming.values()):
        with suppress(reviews.NamesTaken):
            return stored(careful=False)
    return stored(careful=True)


class _Plan(NamedTuple):
    """What else `take_in` was told."""

    queue: str
    taxonomy_id: int
    first_stage: str
    predict_queue: str | None
    step: Step | None
    again: bool


def _stored(
    database: Database,
    messages: Sequence[Message],
    incoming: Mapping[Name, Incoming],
    numbers: Mapping[Name, int],
    judged: Judgement,
    plan: _Plan,
    *,
    careful: bool,
) -> Stored:
    """Store what came and what was said of it, in one transaction."""
    queue, taxonomy_id, first_stage, predict_queue, step, again = plan
    with database.transaction() as cursor:
        found = reviews.upsert(
            cursor, messages, incoming, taxonomy_id, first_stage, numbers, careful=careful, again=again
        )
        written = judged.of({*found.added})
        written.write(cursor, taxonomy_id)
        unpredicted, parked = put_in_line(cursor, taxonomy_id, predict_queue, found, judged)
        failures.record_rejected(cursor, queue, messages, step.offsets if step else None)
        batches.record(cursor, messages, found.ids)
        to_stages = _to_send(found, judged.waits, None if again else first_stage)
        if step is not None:
            streams.move(cursor, step, sorted({*unpredicted}.union(*to_stages.values())))
    left = to_stages, to_stages.get(first_stage, []), unpredicted
    predicted = 0 if judged.answers is None else len(found.added)
    sizes = len(found.fresh), len(found.known), found.replaced
    return Stored(found.ids, *left, *sizes, written.counts(), predicted, parked, judged.serving)


def _judged(
    judging: Judging | None,
    bench: Bench | None,
    incoming: Mapping[Name, Incoming],
    numbers: Mapping[Name, int],
) -> Judgement | None:
    """What is said of reviews; None where that failed: each will be found out by the tasks of its first stage."""
    if judging is None or bench is None:
        return None
    now = datetime.now(UTC)
    ages = {
        arrived_at: 0.0 if arrived_at is None else (now - arrived_at).total_seconds()
        for arrived_at in {one.arrived_at for one in incoming.values()}
    }
    rows = [
        WaitingReview(numbers[name], 1, one.review.text, ages[one.arrived_at])
        for name, one in incoming.items()
        if one.came_at is None
    ]
    try:
        return judging.judge(bench, rows)
    except Exception as error:  # noqa: BLE001  reviews must be stored whatever becomes of their labels
        log.warning("intake.not_judged", reviews=len(rows), error=f"{type(error).__name__}: {error}")
        return None


def put_in_line(
    cursor: Cursor, taxonomy_id: int, queue: str | None, found: Upserted, judged: Judgement
) -> tuple[list[int], int]:
    """Put those in line who have no prediction: those to be sent, and how many wait for a champion."""
    if queue is None:
        return [], 0
    fresh = found.fresh
    nobody_serves = judged.serving is not None and judged.serving.champion is None
    if judged.answers is not None:
        fresh = sorted({*fresh}.difference(found.added))
    waiting = awaiting.await_predictions(cursor, taxonomy_id, queue, fresh, found.known)
    return ([], awaiting.park(cursor, waiting, taxonomy_id)) if nobody_serves else (waiting, 0)


def _to_send(found: Upserted, waits: Mapping[int, str], only: str | None) -> dict[str, list[int]]:
    """Who waits for which stage, in the order in which they came; of known ones those that wait for `only` this."""
    new: set[int] = {*found.added}
    by_stage: dict[str, set[int]] = {}
    for number, stage in (*found.in_line.items(), *waits.items()):
        if number in new or (number in found.in_line and only in (stage, None)):
            by_stage.setdefault(stage, set()).add(number)
    return {stage: found.in_order(ids) for stage, ids in by_stage.items() if ids}
