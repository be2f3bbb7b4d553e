"""How many reviews a second come from RabbitMQ to labels in PostgreSQL, beside what a user would write first.

The ways get the same texts by turns, on the same machine and the same servers: Otzyv's own processes, one Celery task
per review (`naive`), and a loop without queue or guarantees, in one process (`loop`) and in one a core (`loops`). A
turn begins with the first publish and ends when the last label is committed.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from celery import Celery

from scripts.bench.system import bare, naive, processes
from shared.errors import DatabaseUnavailable
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import Database
from workers.rabbitmq.publisher import Publisher

IN_MESSAGE = 250
WARM_UP = 2_000
PATIENCE_S = 600.0
LOOK_S = 0.1
SOURCE = "bench"
SETTINGS = {"OTZYV_CASCADE_STAGES": "keywords", "OTZYV_PREDICTIONS": "false"}
PARTS = ("producer", "broker", "ingest", "stage", "store")


class Supply:
    """Texts without end, each with a number that no other has."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts, self._next = texts, 0

    def take(self, count: int) -> list[dict[str, object]]:
        """The next reviews."""
        numbers = range(self._next, self._next + count)
        self._next += count
        return [
            {"source": SOURCE, "id": str(number), "text": self._texts[number % len(self._texts)]}
            for number in numbers
        ]


class Otzyv:
    """Ingest and a CPU worker on all cores, and a producer in this process."""

    def __init__(self, settings: Settings, database: Database, ingest: int, worker: int) -> None:
        self._settings, self._database = settings, database
        self.ingest, self.worker = ingest, worker
        self._before = self._published = 0

    def run(self, reviews: list[dict[str, object]]) -> dict[str, float]:
        """Publish reviews and wait for their labels. Seconds in all, and CPU seconds by part."""
        before, began = self._spent(), time.perf_counter()
        self.publish(reviews)
        self._wait_cheaply()
        seconds = time.perf_counter() - began
        after = self._spent()
        self._check()
        return {"seconds": seconds, **{part: _grown(before[part], after[part]) for part in PARTS}}

    def publish(self, reviews: list[dict[str, object]]) -> None:
        """Send reviews by the bulk lane, as `otzyv enqueue` does."""
        self._before = _asked(self._database, "SELECT coalesce(max(id), 0) FROM reviews")
        self._published = publish(self._settings, reviews)

    def wait(self) -> None:
        """Until all that was published last has its label. What was there before is not looked at."""
        wait_for(self._database, self._labelled(), self._published)

    def _wait_cheaply(self) -> None:
        """The same while nobody else publishes: counting rows cost PostgreSQL a tenth of what labelling them did.

        Only the ends of indexes are looked at: the last label, and the first that waits.
        """
        question = f"""
            SELECT coalesce(least((SELECT max(review_id) FROM labels WHERE review_id > {self._before}),
                (SELECT min(review_id) - 1 FROM waiting WHERE review_id > {self._before})) - {self._before}, 0)
        """  # noqa: S608  numbers of this module
        wait_for(self._database, question, self._published)

    def _check(self) -> None:
        """Raises DatabaseUnavailable unless all that was published last has its label."""
        found = _asked(self._database, self._labelled())
        if found != self._published:
            raise DatabaseUnavailable(
                f"otzyv bench: expected {self._published:,} labels of what was published, found {found:,}: "
                "the turn was measured before its end; run it again"
            )

    def _labelled(self) -> str:
        return f"""
            SELECT count(*) FROM labels JOIN reviews ON id = review_id
            WHERE id > {self._before} AND review_id > {self._before} AND source = '{SOURCE}'
        """  # noqa: S608  numbers and a constant of this module

    def _spent(self) -> dict[str, dict[int, float]]:
        """CPU seconds of each process of each part, by its number."""
        return {
            "producer": {os.getpid(): time.process_time()},
            "broker": processes.cpu_seconds_named("beam.smp"),
            "ingest": {self.ingest: processes.cpu_seconds(self.ingest)},
            "stage": {self.worker: processes.cpu_seconds(self.worker)},
            "store": processes.cpu_seconds_named("postgres"),
        }


def _grown(before: dict[int, float], after: dict[int, float]) -> float:
    """CPU seconds that processes have added; those that have ended are with their parents, or of no concern."""
    return sum(seconds - before.get(number, 0.0) for number, seconds in after.items())


@contextmanager
def otzyv(settings: Settings, folder: Path, cores: int, **more: str) -> Iterator[Otzyv]:
    """Otzyv's processes, warm: keywords and labels only, everything else as it is by default."""
    environment = {**SETTINGS, "OTZYV_WORKER_PROCESSES": str(cores), **more}
    database = runtime.open_database(settings, "otzyv bench")
    with (
        processes.otzyv("ingest", settings=settings, log=folder / "ingest.log", **environment) as ingest,
        processes.otzyv(
            "worker", "cpu", settings=settings, log=folder / "worker.log", **environment
        ) as worker,
    ):
        try:
            yield Otzyv(settings, database, ingest, worker)
        finally:
            database.close()


class Naive:
    """One Celery task per review."""

    def __init__(self, app: Celery, database: Database) -> None:
        self._app, self._database = app, database
        self._labelled = 0

    def run(self, reviews: list[dict[str, object]]) -> dict[str, float]:
        """Send a task for each review and wait for the rows."""
        began = time.perf_counter()
        for review in reviews:
            self._app.send_task("naive.label", args=(review,), queue=naive.QUEUE)
        self._labelled += len(reviews)
        wait_for(self._database, "SELECT count(*) FROM naive", self._labelled)
        return {"seconds": time.perf_counter() - began}


@contextmanager
def naive_worker(settings: Settings, folder: Path, cores: int) -> Iterator[Naive]:
    """A Celery worker of the naive application."""
    database = runtime.open_database(settings, "otzyv bench")
    with database.transaction() as cursor:
        cursor.execute(naive.TABLE)
    command = [
        sys.executable, "-m", "celery", "-A", "scripts.bench.system.naive", "worker", f"--concurrency={cores}",
        "--loglevel=warning", f"--queues={naive.QUEUE}",
    ]  # fmt: skip
    surroundings = processes.environment(settings)
    app = Celery("naive", broker=settings.amqp_url)
    try:
        with processes.started(command, surroundings, folder / "naive.log"):
            yield Naive(app, database)
    finally:
        # Only now: a worker declares its queue again.
        with app.connection() as connection, connection.channel() as channel:
            channel.queue_delete(naive.QUEUE)
        app.close()
        database.close()


@contextmanager
def bare_loop(
    settings: Settings, cores: int
) -> Iterator[Callable[[list[dict[str, object]]], dict[str, float]]]:
    """The ceiling, in so many processes."""
    database = runtime.open_database(settings, "otzyv bench")
    with database.transaction() as cursor:
        cursor.execute(bare.TABLE)
    database.close()
    with ProcessPoolExecutor(cores, get_context("spawn"), bare.prepare, (settings.database_url,)) as pool:

        def run(reviews: list[dict[str, object]]) -> dict[str, float]:
            began = time.perf_counter()
            texts = [str(review["text"]) for review in reviews]
            sum(pool.map(bare.label, [texts[core::cores] for core in range(cores)]))
            return {"seconds": time.perf_counter() - began}

        yield run


def publish(settings: Settings, reviews: Iterable[dict[str, object]]) -> int:
    """Send reviews by the bulk lane, confirmed; returns how many."""
    rest = iter(reviews)
    messages = iter(lambda: list(islice(rest, IN_MESSAGE)), [])
    with Publisher(settings) as publisher:
        return sum(sent.reviews for sent in publisher.send(uuid.uuid4(), SOURCE, messages))


def wait_for(database: Database, question: str, count: int) -> None:
    """Ask until the answer is reached, seldom at first: counting must not become the load.

    Raises DatabaseUnavailable where that takes too long.
    """
    began = time.monotonic()
    first = found = _asked(database, question)
    while time.monotonic() < began + PATIENCE_S:
        if found >= count:
            return
        rate = (found - first) / (time.monotonic() - began)
        time.sleep(min(1.0, max(LOOK_S, (count - found) / rate / 2 if rate else LOOK_S)))
        found = _asked(database, question)
    raise DatabaseUnavailable(
        f"otzyv bench: expected {count:,} rows within {PATIENCE_S:g} s, found {found:,}"
    )


def _asked(database: Database, question: str) -> int:
    with database.transaction() as cursor:
        cursor.execute(question)
        return int((cursor.fetchone() or (0,))[0])


def run(
    settings: Settings, texts: Sequence[str], folder: Path, reviews: int, naive_reviews: int, turns: int
) -> Iterator[dict[str, Any]]:
    """One dict a turn: reviews per second of `otzyv`, `naive`, `loop` and `loops`, and Otzyv's `cpu_us` by part."""
    cores = len(os.sched_getaffinity(0))
    source = Supply(texts)
    with ExitStack() as stack:
        ours = stack.enter_context(otzyv(settings, folder, cores))
        peer = stack.enter_context(naive_worker(settings, folder, cores))
        loop = stack.enter_context(bare_loop(settings, 1))
        loops = stack.enter_context(bare_loop(settings, cores))
        for way, count in (
            (ours.run, WARM_UP),
            (peer.run, WARM_UP // 10),
            (loop, WARM_UP),
            (loops, WARM_UP),
        ):
            way(source.take(count))
        for _ in range(turns):
            found = ours.run(source.take(reviews))
            yield {
                "otzyv": reviews / found["seconds"],
                "naive": naive_reviews / peer.run(source.take(naive_reviews))["seconds"],
                "loop": reviews / loop(source.take(reviews))["seconds"],
                "loops": reviews / loops(source.take(reviews))["seconds"],
                "cpu_us": {part: 1e6 * found[part] / reviews for part in PARTS},
            }
