"""How long a review takes from being published to its label's row, alone and while a bulk backlog waits."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

from kombu import Connection

from scripts.bench.system import pipeline
from shared.reviews import wire
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import Database
from workers.rabbitmq import topology
from workers.rabbitmq.confirmed import Confirmed
from workers.rabbitmq.connection import connected
from workers.rabbitmq.publisher import PROPERTIES

LOOK_S = 0.01
"""Between two looks for labels: so much the figures may be too large."""
SOURCE = "live"


class Live:
    """Publishes single reviews at a steady rate and notes when their labels are there."""

    def __init__(self, settings: Settings, texts: Sequence[str], rate: float) -> None:
        self._settings, self._texts, self._rate = settings, texts, rate
        self._number = 0
        self._sent: dict[str, float] = {}
        self._taken: list[float] = []

    def run(self, goes_on: Callable[[], bool]) -> list[float]:
        """Seconds that each review took that was published while `goes_on` says so."""
        self._sent, self._taken = {}, []
        done = threading.Event()
        looking = threading.Thread(target=self._look, args=(done,))
        looking.start()
        try:
            self._publish(goes_on)
        finally:
            done.set()
            looking.join()
        return self._taken

    def _publish(self, goes_on: Callable[[], bool]) -> None:
        began, sent = time.perf_counter(), 0
        with Confirmed(self._settings) as confirmed:
            while goes_on():
                name = str(self._number)
                review = {"source": SOURCE, "id": name, "text": self._texts[self._number % len(self._texts)]}
                self._sent[name] = time.perf_counter()
                confirmed.publish(
                    wire.encode([review]), topology.REVIEWS, topology.INCOMING.routing_key, PROPERTIES
                )
                self._number += 1
                sent += 1
                time.sleep(max(0.0, began + sent / self._rate - time.perf_counter()))

    def _look(self, done: threading.Event) -> None:
        database = runtime.open_database(self._settings, "otzyv bench")
        end = float("inf")
        while time.perf_counter() < end:
            if done.is_set():
                end = min(end, time.perf_counter() + pipeline.PATIENCE_S)
                if not self._sent:
                    break
            for name in _labelled(database, list(self._sent)):
                self._taken.append(time.perf_counter() - self._sent.pop(name))
            time.sleep(LOOK_S)
        database.close()


def _labelled(database: Database, names: list[str]) -> list[str]:
    if not names:
        return []
    with database.transaction() as cursor:
        cursor.execute(
            """
            SELECT r.external_id FROM reviews r JOIN labels l ON l.review_id = r.id
            WHERE r.source = %s AND r.external_id = ANY(%s)
            """,
            (SOURCE, names),
        )
        return [row[0] for row in cursor.fetchall()]


class BacklogWatch:
    """Whether anything waits in the bulk lane, asked twice a second."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._asked_at = 0.0
        self._is_there = True

    def __call__(self) -> bool:
        if time.monotonic() - self._asked_at > 0.5:
            self._asked_at = time.monotonic()
            with self._connection.channel() as channel:
                self._is_there = any(
                    topology.queue(line)(channel).queue_declare(passive=True).message_count
                    for line in topology.BULK_LINES
                )
        return self._is_there


def run(
    settings: Settings,
    texts: Sequence[str],
    folder: Path,
    seconds: float,
    rate: float,
    backlog: int,
    turns: int,
) -> Iterator[dict[str, Any]]:
    """One dict a turn: milliseconds `p50` and `p95`, and how many `reviews`, for `alone` and `backlog`."""
    cores = len(os.sched_getaffinity(0))
    source = pipeline.Supply(texts)
    with ExitStack() as stack:
        ours = stack.enter_context(pipeline.otzyv(settings, folder, cores))
        connection = stack.enter_context(connected(settings))
        ours.run(source.take(pipeline.WARM_UP))
        live = Live(settings, texts, rate)
        live.run(_for(2.0))
        for _ in range(turns):
            alone = live.run(_for(seconds))
            with _published(ours, source.take(backlog)):
                behind = live.run(BacklogWatch(connection))
            yield {"alone": _summary(alone), "backlog": _summary(behind)}


@contextmanager
def _published(ours: pipeline.Otzyv, batch: list[dict[str, object]]) -> Iterator[None]:
    ours.publish(batch)
    yield
    ours.wait()


def _for(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def _summary(taken: list[float]) -> dict[str, float]:
    hundredths = quantiles(taken, n=100)
    return {"p50": 1e3 * hundredths[49], "p95": 1e3 * hundredths[94], "reviews": len(taken)}
