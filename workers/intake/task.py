"""The task that takes messages in: its argument is what a worker's main process has from RabbitMQ, and no broker sends.

See `workers.process.taking` for what becomes of the messages afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import celery
import structlog
from celery.exceptions import Reject, SoftTimeLimitExceeded
from msgspec.structs import replace

from shared.errors import ConfigurationError, OtzyvError, PublishingBlocked, RetryableError
from shared.runtime import runtime
from shared.runtime.judging import judging
from shared.runtime.per_process import PerProcess
from shared.settings import settings
from shared.store import Database
from shared.store.processes.waits import Waiting
from workers.app import app
from workers.intake import envelope, mappings
from workers.intake.door import Door, Passage
from workers.monitoring import metrics
from workers.process import crash_points
from workers.process.taking import MARK, Delivered, Setback, TakingRequest
from workers.rabbitmq import topology
from workers.rabbitmq.backoff import LONGEST_PAUSE_S, pause_s
from workers.rabbitmq.topology import Lane
from workers.tasks import sending
from workers.tasks.task import named

log = structlog.get_logger()

SOURCE: Final = topology.INCOMING.queue
LONGEST_BLOCKED_PAUSE_S: Final = 10.0

_DOORS: Final = PerProcess(lambda _: Door(runtime.here(), SOURCE, judging(runtime.here())))


_MAPPINGS: Final = PerProcess(lambda _: mappings.by_source(settings().mappings))


class TooSlow(RetryableError):
    """The time of a task has passed, and not over judging: that is no message's fault."""


class TakingIn(celery.Task):  # type: ignore[misc]  # Celery has no types
    """Messages into the store. Whatever goes wrong, they are still the main process's."""

    abstract = True
    Request = TakingRequest
    typing = False
    max_retries = None


@app.task(name=topology.TAKE_IN, base=TakingIn, bind=True)  # type: ignore[untyped-decorator]
def take_in(
    self: TakingIn, lane: Lane, tries: int, judge: bool, again: bool, delivered: Sequence[Delivered]
) -> None:
    """Take messages in. Raises Reject with a `Setback`."""
    if not (self.request.headers or {}).get(MARK):
        raise Reject(f"{self.name}: expected messages of this worker's own, found a task's", requeue=False)
    try:
        admit(lane, delivered, Passage(again=again), judge=judge)
        if tries:
            waiting_of(lane, self.request.hostname).over(certainly=True)
    except (RetryableError, ConfigurationError) as error:
        # A blocked RabbitMQ is only looked at: nothing is sent before it says that it takes messages again.
        longest = LONGEST_BLOCKED_PAUSE_S if isinstance(error, PublishingBlocked) else LONGEST_PAUSE_S
        seconds = min(pause_s(tries), longest)
        metrics.INGEST_WAITS.add(source=SOURCE)
        log.warning("ingest.waiting", lane=lane, pause_s=round(seconds, 1), error=str(error))
        with suppress(OtzyvError):
            waiting_of(lane, self.request.hostname).again(error, seconds)
        # What has been told in a line needs no traceback.
        raise Reject(Setback(seconds, named(error), isinstance(error, TooSlow)), requeue=True) from None
    except Exception as error:
        if isinstance(error, SoftTimeLimitExceeded):
            Database.begin_anew()
        raise Reject(Setback(None, named(error)), requeue=True) from error


def waiting_of(lane: Lane, hostname: str) -> Waiting:
    """The wait of a lane, which all children of a worker share."""
    database = runtime.here().database
    return Waiting(database, f"queue {SOURCE}, {lane} lane", hostname, f"{hostname} {SOURCE} {lane}")


def admit(lane: Lane, delivered: Sequence[Delivered], way: Passage, *, judge: bool) -> None:
    """Open messages, take them in, and keep what was rejected."""
    began, mapping = time.monotonic(), _MAPPINGS.get(0)
    messages = [
        replace(envelope.opened(one, settings(), SOURCE, mapping), arrived_at=one.arrived_at)
        for one in delivered
    ]
    try:
        admitted = _DOORS.get(0).admit(messages, lane, way, judge=judge)
        sending.rejected(admitted.rejected)
    except SoftTimeLimitExceeded as error:
        # A stage that judges too long is left out by itself: what is left is PostgreSQL, RabbitMQ, a model that loads.
        Database.begin_anew()
        raise TooSlow(
            f"expected to take {len(messages)} messages in within {settings().task_soft_limit_s} s, found that "
            "loading a model, storing them or sending on what follows took longer; look after PostgreSQL and RabbitMQ, "
            "or raise OTZYV_TASK_SOFT_LIMIT_S"
        ) from error
    crash_points.at("ingest.sent")
    metrics.INGEST_MESSAGES.add(len(delivered), source=SOURCE)
    metrics.INGEST_REVIEWS.add(admitted.reviews, source=SOURCE)
    metrics.INGEST_REJECTED.add(len(admitted.rejected), source=SOURCE)
    log.info(
        "ingest.stored",
        lane=lane,
        messages=len(delivered),
        reviews=admitted.reviews,
        rejected=len(admitted.rejected),
        sent=admitted.sent,
        seconds=round(time.monotonic() - began, 3),
        queue=SOURCE,
    )
