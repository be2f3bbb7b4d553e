"""The door: messages into the store in one transaction, then what is left to do is sent, and what was rejected kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

import msgspec

from shared.errors import PoisonError
from shared.intake.intake import Stored, take_in
from shared.intake.judging import Judging
from shared.reviews import wire
from shared.reviews.wire import Message, Rejected
from shared.runtime.runtime import Runtime
from shared.store.streams import Step
from workers.monitoring import metrics
from workers.process import crash_points
from workers.process.breaker import breaker
from workers.rabbitmq import topology
from workers.rabbitmq.topology import Lane
from workers.tasks import sending


class Admitted(msgspec.Struct, frozen=True):
    """What became of messages: reviews stored, those of them that were sent on, and what was rejected."""

    reviews: int = 0
    sent: int = 0
    rejected: list[Rejected] = []

    def __add__(self, other: Admitted) -> Admitted:
        """Both together."""
        return Admitted(
            self.reviews + other.reviews, self.sent + other.sent, [*self.rejected, *other.rejected]
        )


class Passage(msgspec.Struct, frozen=True):
    """How far messages go along their source: nowhere, along a queue.

    `step` says it of messages by their places among those that are admitted; `stored` is told once it is committed.
    They come `again` where whoever had them before may have stored them, and died.
    """

    step: Callable[[Sequence[int]], Step | None] = lambda _: None
    stored: Callable[[Step | None], None] = lambda _: None
    again: bool = False


ALONG_A_QUEUE: Final = Passage()
CAREFUL: Final = 50
"""For so many transactions known reviews are looked for first, once one has come: they come in crowds."""


class Door:
    """Takes messages of one source in. With `judging`, new reviews are judged before they are stored."""

    def __init__(self, runtime: Runtime, source: str, judging: Judging | None) -> None:
        self._runtime: Final = runtime
        self._source: Final = source
        self._judging: Final = judging
        self._careful: int = 0

    def admit(
        self, messages: Sequence[Message], lane: Lane, way: Passage = ALONG_A_QUEUE, *, judge: bool = True
    ) -> Admitted:
        """Store messages and send what follows.

        A message that PostgreSQL refuses is rejected whole, and does not hold up its neighbours.
        """
        return self._admit(messages, range(len(messages)), lane, way, judge)

    def _admit(
        self, messages: Sequence[Message], places: Sequence[int], lane: Lane, way: Passage, judge: bool
    ) -> Admitted:
        """The same for messages at some of the places."""
        try:
            return self._once(messages, places, lane, way, judge)
        except PoisonError as error:
            if len(messages) > 1:
                parts = (
                    self._admit([one], [at], lane, way, judge)
                    for one, at in zip(messages, places, strict=True)
                )
                return sum(parts, Admitted())
            (message,) = messages
            refused = Rejected(str(error), wire.encode_reviews(message.reviews))
            message = msgspec.structs.replace(message, reviews=[], rejected=[*message.rejected, refused])
            return self._once([message], places, lane, way, judge)

    def _once(
        self, messages: Sequence[Message], places: Sequence[int], lane: Lane, way: Passage, judge: bool
    ) -> Admitted:
        settings, began, step = self._runtime.settings, time.monotonic(), way.step(places)
        found = take_in(
            self._runtime.database,
            messages,
            queue=self._source,
            taxonomy_id=self._runtime.taxonomy_id,
            first_stage=settings.stages[0],
            predict_queue=topology.CPU_CLASSIFY.queue if settings.predictions else None,
            step=step,
            again=way.again,
            judging=self._judging if judge and not self.is_broken else None,
            careful=way.again or self._careful > 0,
        )
        self._careful = CAREFUL if found.known else max(0, self._careful - 1)
        way.stored(step)
        crash_points.at("ingest.stored")
        sending.what_follows(found, self._runtime.taxonomy_id, lane)
        self.count(found, time.monotonic() - began)
        return Admitted(
            sum(len(one.reviews) for one in messages),
            sum(map(len, found.to_stages.values())),
            [item for one in messages for item in one.rejected],
        )

    @property
    def is_broken(self) -> bool:
        """Whether batches of a stage at hand fail one after another: then nobody judges here either."""
        lines = topology.stage_lines(self._runtime.settings)
        stages: Collection[str] = self._judging.at_hand if self._judging else ()
        return any(breaker.is_open(lines[stage].queue) for stage in stages)

    def count(self, found: Stored, seconds: float) -> None:
        """Count what stages and models have done."""
        for stage, counts in found.counts.items():
            metrics.count_stage(stage, counts)
            metrics.STAGE_SECONDS.observe([seconds], stage=stage)
        metrics.PREDICTIONS.add(found.predicted)
        metrics.PREDICTIONS_PARKED.add(found.parked)
        champion = found.serving.champion if found.serving else None
        if champion is not None:
            metrics.SERVED_MODEL.set(champion.model_id, taxonomy=self._runtime.taxonomy.name)
