"""How long a review takes from being published to its label's row, alone and while a bulk backlog waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles

import msgspec
from kombu import Connection
from rich.console import RenderableType

from scripts.bench.system import pipeline
from scripts.pages.tables import table
from shared.reviews import wire
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
        end = float("inf")
        with pipeline.opened(self._settings) as database:
            while time.perf_counter() < end:
                if done.is_set():
                    end = min(end, time.perf_counter() + pipeline.PATIENCE_S)
                    if not self._sent:
                        break
                for name in _labelled(database, list(self._sent)):
                    self._taken.append(time.perf_counter() - self._sent.pop(name))
                time.sleep(LOOK_S)


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


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds, and of how many reviews."""

    p50: float
    p95: float
    reviews: int

    @classmethod
    def of(cls, taken: list[float]) -> Latency:
        """What reviews come to that took so many seconds."""
        hundredths = quantiles(taken, n=100)
        return cls(1e3 * hundredths[49], 1e3 * hundredths[94], len(taken))


class LatencyTurn(msgspec.Struct, frozen=True):
    """One turn, without a backlog and with one."""

    alone: Latency
    backlog: Latency


def run(
    settings: Settings,
    texts: Sequence[str],
    folder: Path,
    seconds: float,
    rate: float,
    backlog: int,
    turns: int,
) -> Iterator[LatencyTurn]:
    """The figures of each turn: some `seconds` alone, then while a `backlog` of so many reviews waits."""
    take = pipeline.supply(texts)
    with pipeline.otzyv(settings, folder) as ours, connected(settings) as connection:
        ours.run(take(pipeline.WARM_UP))
        live = Live(settings, texts, rate)
        live.run(_for(2.0))
        for _ in range(turns):
            alone = live.run(_for(seconds))
            ours.publish(take(backlog))
            behind = live.run(BacklogWatch(connection))
            ours.wait()
            yield LatencyTurn(Latency.of(alone), Latency.of(behind))


def _for(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def shown(turns: list[LatencyTurn], rate: float, backlog: int) -> Iterator[RenderableType]:
    """What the turns come to."""
    rows = []
    for words, found in (
        ("alone", [turn.alone for turn in turns]),
        (f"while a backlog of {backlog:,} waits", [turn.backlog for turn in turns]),
    ):
        ratio = median(one.p95 / turn.alone.p95 for one, turn in zip(found, turns, strict=True))
        told = "" if words == "alone" else f"{ratio:.2f} x as long"
        p50, p95 = median(one.p50 for one in found), median(one.p95 for one in found)
        rows.append((words, f"{p50:,.0f}", f"{p95:,.0f}", f"{sum(one.reviews for one in found):,}", told))
    heads = ("from publish to label, milliseconds", "p50", "p95", "reviews", "p95 is")
    yield table(heads, rows, pad_edge=True)
    yield f"single-review messages, {rate:g} a second; medians of {len(turns)} turns"
